"""Which Kubernetes a command works on, and where a client on its LAN can stand.

KUBECONFIG (or --kubeconfig) decides. Without either: the pod's own service account inside a pod, and anywhere
else the local lab, a program of its own that is started here but never imported. `~/.kube/config` is not
taken by itself: what it points at today is too easily a cluster that nobody meant.
"""

import errno
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pgha.config.problems import UserError
from pgha.delivery.kubernetes import in_cluster


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kubeconfig (None: the pod's own), and what goes before a command that must run on the LAN."""

    kubeconfig: Path | None
    lan: tuple[str, ...] = ()
    is_lab: bool = False


def choose(kubeconfig: Path | None, *, start: bool) -> Target:
    """The target; with `start` the lab is brought up where it is the one.

    Raises:
        UserError: There is none, or the lab did not start.
    """
    named = kubeconfig or _from_environment()
    lab = _lab()
    if named is not None:
        if lab and named.resolve() == _lab_kubeconfig(lab):
            return _lab_target(lab, named)
        return Target(kubeconfig=named)
    if in_cluster():
        return Target(kubeconfig=None)
    if lab is None:
        raise UserError("KUBECONFIG is not set and there is no program lab", "set KUBECONFIG, or install this project")
    if start:
        _start(lab)
    path = _lab_kubeconfig(lab)
    if path is None or not path.is_file():
        raise UserError("KUBECONFIG is not set and the lab does not run", "set KUBECONFIG, or start the lab: lab up")
    return _lab_target(lab, path)


def relayed(address: str, port: int) -> str | None:
    """Where the lab relays a LAN address on this machine (192.168.10.100 → 127.168.10.100); None where it does not.

    A port that can be bound is one that nobody listens on; asking so leaves no trace in the server's log.
    """
    loopback = "127." + address.partition(".")[2]
    with socket.socket() as free:
        try:
            free.bind((loopback, port))
        except OSError as error:
            return loopback if error.errno == errno.EADDRINUSE else None
    return None


def _from_environment() -> Path | None:
    value = os.environ.get("KUBECONFIG", "")
    if os.pathsep in value:
        raise UserError("KUBECONFIG names several files, and pgha reads one", "name one: --kubeconfig FILE")
    return Path(value) if value else None


def _lab() -> str | None:
    """The program `lab`: beside our own Python first, where the same installation put it."""
    beside = Path(sys.executable).parent / "lab"
    return str(beside) if beside.is_file() else shutil.which("lab")


def _lab_kubeconfig(lab: str) -> Path | None:
    answer = subprocess.run([lab, "kubeconfig"], capture_output=True, text=True, check=False)
    path = answer.stdout.strip()
    return Path(path).resolve() if answer.returncode == 0 and path else None


def _lab_target(lab: str, kubeconfig: Path) -> Target:
    return Target(kubeconfig=kubeconfig, lan=(lab, "run-on-lan", "--"), is_lab=True)


def _start(lab: str) -> None:
    """`lab up`, its progress on our standard error: standard output is for facts."""
    if subprocess.run([lab, "up"], stdout=sys.stderr, check=False).returncode != 0:
        raise UserError("the lab did not start", "read what it says above; lab down clears it away")
