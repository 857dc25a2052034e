"""Runs last: what `make down` leaves behind. A lab that ran before the tests is left running, and this says so."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from running_lab import ROOT, Database, run

from lab.home import CACHE, HOME, OWNER

pytestmark = pytest.mark.lab


def _traces() -> dict[str, list[str]]:
    """Everything on this machine that could be the lab's."""
    return {
        "namespaces": sorted(path.name for path in Path("/run/netns").glob("lab-*")),
        "mounts": [
            line for line in Path("/proc/mounts").read_text().splitlines() if str(HOME) in line or "lab-" in line
        ],
        "control groups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/lab")],
        "processes": [words for words in _command_lines() if str(HOME) in words or "lab.relay" in words],
        "files": sorted(str(path.relative_to(HOME)) for path in HOME.iterdir() if path != CACHE)
        + [str(OWNER)] * OWNER.exists(),
    }


def _command_lines() -> list[str]:
    lines = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                lines.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return lines


@pytest.fixture
def ours(database: Database) -> None:
    """Only a lab that these tests started may be taken down by them."""
    if database.first_up is None:
        pytest.skip("NOT RUN: the lab ran before these tests, so they leave it running")


def test_down_leaves_nothing_but_the_cache(ours: None) -> None:
    before = _traces()
    assert all(before.values()), f"a running lab must show in every row, or this test could not fail: {before}"
    down = run("make", "--no-print-directory", "down")
    assert down.code == 0, down.out
    assert _traces() == {name: [] for name in before}
    assert (ROOT / ".lab/cache").is_dir() or HOME != ROOT / ".lab"
    assert run("make", "--no-print-directory", "down").code == 0, "a second `make down` must be harmless"


def test_killed_in_the_middle_up_goes_on_and_down_cleans_up(ours: None) -> None:
    assert run(".venv/bin/lab", "down").code == 0
    with subprocess.Popen([".venv/bin/lab", "up"], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE) as up:
        assert up.stderr is not None
        for line in up.stderr:  # kubeadm under way is the worst moment: half of a control plane runs
            if b"kubeadm init" in line:
                break
        time.sleep(4)
        os.killpg(up.pid, signal.SIGKILL)
    again = run(".venv/bin/lab", "up")
    assert again.code == 0, again.out
    assert run(".venv/bin/lab", "status").code == 0
    assert run(".venv/bin/lab", "down").code == 0
    assert not any(_traces().values())
