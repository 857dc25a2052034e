"""The measuring client as a process of this machine, or of wherever a prefix puts it: a host of the LAN."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pgha.verify.readings import Missing, unread

_GRACE_SECONDS = 5


def measure(request: dict[str, Any], *, prefix: Sequence[str], say: Callable[[str], None]) -> dict[str, Any] | Missing:
    """Facts by step. The request, with its passwords, goes over standard input, which no other user can read."""
    with started(request, prefix) as process:
        found = {}
        for line in process.stdout or ():
            answer = json.loads(line)
            say(f"{answer['step']} ({answer['took']} s)")
            found[answer["step"]] = answer["facts"]
        _, complaint = process.communicate()
    if process.returncode != 0:
        last = (complaint.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        return unread(f"the client did not run on the LAN: {last}")
    return found


@contextmanager
def started(request: dict[str, Any], prefix: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The client at work; it is gone afterwards, also after Ctrl-C."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "pgha.verify.client"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdin is not None:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
