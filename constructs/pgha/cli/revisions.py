"""Cluster files as they are in Git, read with the git program."""

import subprocess
from pathlib import Path

from pgha.config import Cluster, UserError, load_text


def load_at(revision: str, path: Path) -> Cluster:
    """The cluster that `path` described in a revision.

    Raises:
        ConfigError: The file had errors, by today's rules.
        UserError: There is no such revision, or it had no such file.
    """
    folder, name = path.resolve().parent, path.name
    if revision.startswith("-"):
        raise UserError(f"{revision} is no revision", "name a commit, a branch or a tag")
    if _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise UserError(
            f"there is no revision {revision} in the Git repository of {path}",
            "name a commit, a branch or a tag, or give two files: pgha explain OLD NEW",
        )
    # Not followed through renames: a file is found by its name, and its name is the cluster's.
    raw = _git(folder, "show", f"{revision}:./{name}")
    if raw is None:
        raise UserError(f"revision {revision} has no file {path}", "name an older or a newer one with --from")
    return load_text(raw, f"{revision}:{path}")


def _git(folder: Path, *words: str) -> bytes | None:
    """What git prints; None where it fails."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("there is no program git", "install it, or give two files: pgha explain OLD NEW") from None
    return done.stdout if done.returncode == 0 else None
