"""Debian trees made by mmdebstrap: the root file system of a node, and the base of the images that need one."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.home import CACHE, LOGS
from lab.steps import LabError, run, step

SUITE = "trixie"
_NO_DOCS = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "info", "locale", "man")]


@dataclass(frozen=True)
class Tree:
    """A set of Debian packages as one tar file."""

    name: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()
    """mmdebstrap options that change the tree on the way."""

    @property
    def tar(self) -> Path:
        """The finished tree."""
        inputs = hashlib.sha256(repr((SUITE, self.packages, self.hooks, _NO_DOCS)).encode()).hexdigest()[:12]
        return CACHE / "debian" / f"{self.name}-{inputs}.tar"

    @property
    def folder(self) -> Path:
        """The same, unpacked (nodes only)."""
        return self.tar.with_suffix("")


NODE = Tree(
    "node",
    (
        "ca-certificates", "conntrack", "containernetworking-plugins", "iproute2", "iptables", "kmod", "mount",
        "procps", "runc",
    ),
)  # fmt: skip

POSTGRESQL = Tree(
    "postgresql",
    ("ca-certificates", "locales", "pgbouncer", "postgresql-17", "postgresql-17-pgaudit"),
    (
        # CloudNativePG runs everything as user 26, and /etc/passwd must know it.
        """--essential-hook=echo 'postgres:x:26:' >> "$1/etc/group" """,
        """--essential-hook=echo 'postgres:x:26:26::/var/lib/postgresql:/bin/bash' >> "$1/etc/passwd" """,
        # PgBouncer's pods run as user 998 and call it where the operator expects it.
        """--essential-hook=echo 'pgbouncer:x:998:' >> "$1/etc/group" """,
        """--essential-hook=echo 'pgbouncer:x:998:998::/var/lib/pgbouncer:/bin/sh' >> "$1/etc/passwd" """,
        """--customize-hook=ln -s ../sbin/pgbouncer "$1/usr/bin/pgbouncer" """,
        """--essential-hook=mkdir -p "$1/etc/postgresql-common" """,
        """--essential-hook=echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.conf" """,
        """--customize-hook=chroot "$1" localedef -i en_US -f UTF-8 en_US.UTF-8""",
    ),
)

PYTHON = Tree("python", ("ca-certificates", "python3"))

SERVICES = Tree(
    "services",
    (
        "barman-cli-cloud", "ca-certificates", "git", "gnupg", "gpg-agent", "lighttpd", "openssh-client", "python3",
        "redis-server", "tini", "tzdata",
    ),
    (
        # Argo CD runs as user 999, and ssh asks /etc/passwd who that is; its hosts are a mounted file.
        """--essential-hook=echo 'argocd:x:999:' >> "$1/etc/group" """,
        """--essential-hook=echo 'argocd:x:999:999::/home/argocd:/bin/sh' >> "$1/etc/passwd" """,
        """--customize-hook=ln -s /app/config/ssh/ssh_known_hosts "$1/etc/ssh/ssh_known_hosts" """,
    ),
)  # fmt: skip
"""For the programs of the extras: an object store's clients, a Git server, Argo CD's helpers."""

FOR_A_CLUSTER = (NODE, POSTGRESQL, PYTHON)


def build(tree: Tree) -> Path:
    """Make the tar file unless the cache has it."""
    if tree.tar.exists():
        return tree.tar
    tree.tar.parent.mkdir(parents=True, exist_ok=True)
    partial = tree.tar.with_suffix(".partial.tar")
    partial.unlink(missing_ok=True)
    with step(f"build Debian {SUITE} tree {tree.name}"):
        run(
            ["mmdebstrap", "--variant=minbase", f"--include={','.join(tree.packages)}", *_NO_DOCS, *tree.hooks,
             SUITE, partial, mirror()],
            log=LOGS / f"debian-{tree.name}.log",
        )  # fmt: skip
    partial.rename(tree.tar)
    return tree.tar


def unpack(tree: Tree) -> Path:
    """The tree as a folder."""
    if tree.folder.is_dir():
        return tree.folder
    partial = tree.folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    run(
        [
            "tar",
            "--extract",
            "--file",
            tree.tar,
            "--directory",
            partial,
            "--numeric-owner",
            "--same-permissions",
        ]
    )
    partial.rename(tree.folder)
    return tree.folder


def mirror() -> str:
    """The Debian archive that this machine's apt uses."""
    rows = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"])
    for row in rows.splitlines():
        origin, label, uri = row.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return uri
    raise LabError("apt knows no Debian archive", "add one to /etc/apt/sources.list and run apt-get update")
