"""Progress that a person can follow, and errors that say what to do."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

console = Console(highlight=False, stderr=True, soft_wrap=True)


class LabError(Exception):
    """Something the user can mend: what is wrong and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Show `what` while the body runs, and how long it took; call the yielded function to say how far it is."""
    started = time.monotonic()
    with console.status(what) as status:
        if not console.is_terminal:
            console.print(f"  … {what}")
        yield lambda detail: status.update(f"{what}: {detail}")
    console.print(f"  ✓ {what} [dim]({time.monotonic() - started:.1f} s)[/dim]")


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return what it printed. A failure carries the last lines and the log's place."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=env, cwd=cwd, input=stdin, text=True, timeout=timeout, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        tail = "\n    ".join(done.stdout.strip().splitlines()[-12:])
        remedy = f"the whole output is in {log}" if log else "see its output above"
        raise LabError(f"{Path(words[0]).name} failed with exit code {done.returncode}:\n    {tail}\n", remedy)
    return done.stdout


def wait_until(ready: Callable[[], bool], *, what: str, seconds: float, every: float = 0.3) -> None:
    """Poll until `ready()`; after `seconds`, say what did not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(
                f"{what} did not happen within {seconds:.0f} s",
                "run `lab status`, then `lab down` and `lab up`",
            )
        time.sleep(every)
