"""What this machine must offer, checked before anything is touched, all at once."""

import os
import platform
import shutil
from pathlib import Path

from lab import network
from lab.home import CACHE, HOME, OWNER
from lab.steps import LabError
from lab.topology import LAN

_PROGRAMS = {
    "apt-get": "apt",
    "cp": "coreutils",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nsenter": "util-linux",
    "tar": "tar",
    "unshare": "util-linux",
}
"""Programs that the lab starts on this machine, and the Debian package of each."""

GIB = 1024**3
MEMORY_PER_NODE = int(1.4 * GIB)
DISK_COLD = 18 * GIB
DISK_WARM = 4 * GIB


def check(nodes: int) -> None:
    """Refuse, with every reason and remedy, a machine on which `lab up` could not end well."""
    problems = list(_machine_problems(nodes))
    if problems:
        raise LabError(
            "this machine cannot run the lab:\n  - " + "\n  - ".join(problems) + "\n",
            "mend these and run it again",
        )


def _machine_problems(nodes: int) -> list[str]:
    if platform.system() != "Linux":
        return [f"it runs {platform.system()}: nodes are Linux namespaces; use a Linux machine or virtual machine"]
    problems = []
    if os.geteuid() != 0:
        problems.append("this is not root: namespaces and mounts need it; run it again with sudo")
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        problems.append(f"programs are missing: apt-get install {' '.join(sorted(missing))}")
    problems += _room(nodes)
    problems += filter(None, [foreign_namespaces()])
    return problems


def _room(nodes: int) -> list[str]:
    problems = []
    free = available_memory()
    if free < nodes * MEMORY_PER_NODE and not network.existing():
        problems.append(
            f"{free / GIB:.1f} GiB of memory are available, {nodes} nodes need {nodes * MEMORY_PER_NODE / GIB:.1f}: "
            "end something, or take fewer --nodes"
        )
    HOME.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(HOME).free
    needed = DISK_WARM if (CACHE / "images").is_dir() else DISK_COLD
    if disk < needed:
        problems.append(
            f"{disk / GIB:.1f} GiB of disk are free at {HOME}, {needed / GIB:.0f} are needed: "
            "free some, or set LAB_HOME to a folder elsewhere"
        )
    return problems


def available_memory() -> int:
    """MemAvailable of /proc/meminfo, in bytes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def foreign_namespaces() -> str | None:
    """Why the names, and inside the namespaces the addresses, that this lab would take are somebody else's."""
    names = network.existing()
    owner = OWNER.read_text().strip() if OWNER.exists() else ""
    if not names or owner == str(HOME):
        return None
    if owner:
        return f"the lab of {owner} is running and holds {LAN} inside its namespaces: LAB_HOME={owner} lab down"
    return f"network namespaces {', '.join(names)} exist and no lab made them: see what uses them, then ip netns delete"
