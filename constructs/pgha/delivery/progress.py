"""What a person sees while they wait: a spinner on a terminal, plain lines anywhere else.

On standard error only.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Progress:
    """Phases with their seconds. `seconds` holds them afterwards, by title."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._status: Status | None = None
        self._phase = ""
        self._said = ""

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Announce a step, show that it goes on, and say how long it took, or that it failed."""
        begun, self._phase, self._said = time.monotonic(), title, ""
        self._begin(title)
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            self._end()
            self.seconds[title] = round(time.monotonic() - begun, 1)
            self.console.print(f"{mark} {title} ({self.seconds[title]:.1f} s)", markup=False)

    def say(self, text: str) -> None:
        """What the current phase is busy with; the same text twice is said once."""
        if text == self._said:
            return
        self._said = text
        if self._status is not None:
            self._status.update(f"{self._phase}: {text}")
        else:
            self.console.print(f"  {self.total:5.0f} s  {text}", markup=False)

    def note(self, text: str) -> None:
        """A line that stays."""
        self.console.print(f"  {text}", markup=False)

    def _begin(self, title: str) -> None:
        if self.console.is_terminal:
            self._status = self.console.status(title)
            self._status.start()
        else:
            self.console.print(f"… {title}", markup=False)

    def _end(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
