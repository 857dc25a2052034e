"""Availability from recorded probes: one short line a minute, appended, so that a month is two megabytes.

Line: minute (UTC), probes that wrote, probes that did not, slowest (s), separated by tabs. A minute that was
interrupted may have two lines; they add up. What no line tells was not seen, and is never counted as available.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAYS = 30
TARGET = 0.999
"""Spec, SC-005: 99.9 % over 30 days, which leaves 43 minutes and 12 seconds."""

INTERVAL = 5.0
"""Seconds between two probes."""

_FORMAT = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the last 30 days of a ledger say. Times in seconds."""

    first: datetime | None
    minutes: int
    """Minutes of which something was seen."""
    succeeded: int
    failed: int
    longest: float
    """Seconds of the longest outage: what failed in minutes that follow each other, times the interval."""

    @property
    def probes(self) -> int:
        """All of them."""
        return self.succeeded + self.failed

    @property
    def share_seen(self) -> float:
        """Of the 30 days, between 0 and 1."""
        return min(1.0, self.minutes / (DAYS * 24 * 60))

    @property
    def availability(self) -> float:
        """Of the probes; 1 where there is none."""
        return self.succeeded / self.probes if self.probes else 1.0

    @property
    def minutes_down(self) -> float:
        """Of what was seen."""
        return self.minutes * (1 - self.availability)

    @property
    def budget(self) -> float:
        """Minutes that may be lost in 30 days."""
        return DAYS * 24 * 60 * (1 - TARGET)


class Ledger:
    """Appends a line when a minute is over, and the last one when it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._minute = ""
        self._succeeded = self._failed = 0
        self._slowest = 0.0

    def add(self, at: datetime, *, ok: bool, seconds: float) -> None:
        """Count one probe."""
        minute = at.astimezone(UTC).strftime(_FORMAT)
        if minute != self._minute:
            self.close()
            self._minute = minute
        self._succeeded += ok
        self._failed += not ok
        self._slowest = max(self._slowest, seconds)

    def close(self) -> None:
        """Write what was counted."""
        if self._succeeded + self._failed:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as out:
                out.write(f"{self._minute}\t{self._succeeded}\t{self._failed}\t{self._slowest:.3f}\n")
        self._succeeded = self._failed = 0
        self._slowest = 0.0


def place(root: Path, name: str) -> Path:
    """Where a cluster's ledger is kept: beside the project, and not in Git."""
    return root / ".pgha" / name / "probes.tsv"


def summary(path: Path, now: datetime | None = None) -> Seen:
    """What the ledger says of the 30 days before `now`; lines that cannot be read are as if not seen."""
    since = (now or datetime.now(UTC)) - timedelta(days=DAYS)
    minutes: dict[datetime, tuple[int, int]] = {}
    for at, succeeded, failed in _lines(path):
        if at >= since:
            before = minutes.get(at, (0, 0))
            minutes[at] = (before[0] + succeeded, before[1] + failed)
    longest, run, last = 0, 0, None
    for at in sorted(minutes):
        follows = last is not None and at - last == timedelta(minutes=1)
        run = (run if follows else 0) + minutes[at][1] if minutes[at][1] else 0
        longest, last = max(longest, run), at
    return Seen(
        first=min(minutes, default=None),
        minutes=len(minutes),
        succeeded=sum(succeeded for succeeded, _ in minutes.values()),
        failed=sum(failed for _, failed in minutes.values()),
        longest=longest * INTERVAL,
    )


def _lines(path: Path) -> Iterator[tuple[datetime, int, int]]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split("\t")
        try:
            at = datetime.strptime(words[0], _FORMAT).replace(tzinfo=UTC)
            yield at, int(words[1]), int(words[2])
        except (ValueError, IndexError):
            continue
