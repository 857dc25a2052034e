"""Control groups of the nodes: `lab/NODE` in every hierarchy, v1 or v2. They tell which processes are the lab's."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def _unified() -> bool:
    """Whether v2 is the whole story here; a v1 machine has a folder per controller instead."""
    return (ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if _unified():
        return [ROOT]
    return [path for path in ROOT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]


def create(name: str) -> None:
    """Make `lab/NAME` everywhere, ready to be entered."""
    for hierarchy in _hierarchies():
        for group in (hierarchy / "lab", hierarchy / "lab" / name):
            group.mkdir(exist_ok=True)
            for inherited in (
                "cpuset.cpus",
                "cpuset.mems",
            ):  # v1: a cpuset accepts nobody until these are filled
                if (group / inherited).exists() and not _unified():
                    (group / inherited).write_text((hierarchy / inherited).read_text())
        if _unified():
            for group in (hierarchy, hierarchy / "lab"):
                controllers = (group / "cgroup.controllers").read_text().split()
                (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def enter(name: str) -> None:
    """Move the calling process into `lab/NAME`."""
    for hierarchy in _hierarchies():
        (hierarchy / "lab" / name / "cgroup.procs").write_text("0")


def processes(name: str = "") -> set[int]:
    """Ids, in this machine's terms, of every process of a node, or of the whole lab."""
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for group, _, _ in os.walk(hierarchy / "lab" / name):  # unlike rglob it bears a pod's group that goes meanwhile
            with contextlib.suppress(OSError):
                found.update(int(line) for line in Path(group, "cgroup.procs").read_text().split())
    return found


def init(name: str) -> int | None:
    """The process that is number 1 of the node's own PID namespace: the node lives as long as it does."""
    for pid in processes(name):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            namespaced = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(namespaced) == 2 and namespaced[1] == "1":  # ours and the node's, no container's
                return pid
    return None


def end(name: str = "") -> None:
    """Kill every process of a node, or of the lab, and remove its groups."""
    for _ in range(100):
        alive = processes(name)
        if not alive:
            break
        for pid in alive - {os.getpid()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for hierarchy in _hierarchies():
        for group in _leaves_first(hierarchy / "lab" / name):
            with contextlib.suppress(FileNotFoundError):
                group.rmdir()


def _leaves_first(group: Path) -> Iterator[Path]:
    if group.is_dir():
        for inner in group.iterdir():
            if inner.is_dir():
                yield from _leaves_first(inner)
        yield group
