"""Folders of the lab: all below one, which Git ignores. `cache` survives `lab down`; `--all` removes it too."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.steps import step

SOURCE = Path(__file__).resolve().parent
TOOLS = SOURCE.parent / "tools"

HOME = Path(os.environ.get("LAB_HOME") or SOURCE.parent / ".lab").resolve()
CACHE = HOME / "cache"
"""Programs, Debian trees and images, each under a name made from its inputs."""

STATE = HOME / "state"
"""The running cluster: a folder per node, kubeconfig, logs."""

KUBECONFIG = STATE / "kubeconfig"
LOGS = STATE / "logs"

OWNER = Path("/run/lab-owner")
"""Machine-wide: which HOME the running lab belongs to, since its namespaces and cgroups exist once per machine."""


def node_folder(name: str) -> Path:
    """Everything that one node keeps on disk."""
    return STATE / "nodes" / name


@contextmanager
def locked() -> Iterator[None]:
    """One `lab up`, `down` or `node` at a time; the next one waits."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("wait for another lab command to end"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
