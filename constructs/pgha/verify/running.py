"""One run: the readings that the chosen checks need, the verdicts, and all of it as facts for every kind of report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pgha.config.model import Cluster
from pgha.verify.checks.connecting import published
from pgha.verify.ledger import Seen
from pgha.verify.members import members
from pgha.verify.readings import Missing, Readings
from pgha.verify.registry import Check, Result, judge
from pgha.verify.sources import Sources

Outcome = Literal["kept", "broken", "unknown"]

VERSION = 1
"""Of the report's shape: docs/reference/report.schema.json."""

_ALWAYS = ("pods", "services")
"""Read whatever is chosen: a report tells the topology, and the addresses for the next one to compare with."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run found."""

    cluster: Cluster
    at: datetime
    seconds: float
    results: list[Result]
    readings: Readings

    @property
    def broken(self) -> list[Result]:
        """The promises that are not kept, the worst first."""
        order = ("critical", "major", "minor")
        found = [each for each in self.results if each.status == "failed"]
        return sorted(found, key=lambda each: order.index(each.check.severity))

    @property
    def unread(self) -> list[Result]:
        """What was tried and could not be read."""
        return [each for each in self.results if each.unread]

    @property
    def outcome(self) -> Outcome:
        """Broken where one promise is; unknown where something could not be read; else kept."""
        if self.broken:
            return "broken"
        return "unknown" if self.unread else "kept"

    @property
    def counts(self) -> dict[str, int]:
        """How many checks by status."""
        words = ("passed", "failed", "not applicable", "not measured")
        return {word: sum(each.status == word for each in self.results) for word in words}

    def facts(self) -> dict[str, Any]:
        """Everything as JSON carries it. No Secret is in it."""
        return {
            "version": VERSION,
            "cluster": self.cluster.name,
            "namespace": self.cluster.namespace,
            "engine": self.cluster.engine,
            "at": self.at.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "outcome": self.outcome,
            "counts": self.counts,
            "results": [_result(each) for each in self.results],
            "topology": members(self.cluster, self.readings),
            "endpoints": _endpoints(self.cluster, self.readings),
            "measurements": _measurements(self.readings),
            "probes": _probes(self.readings.get("probes")),
        }


def run(sources: Sources, chosen: Sequence[Check], phase: Callable[[str], Any]) -> Report:
    """Read what the checks need, then judge them."""
    begun, at = time.monotonic(), datetime.now(UTC)
    names = {name for each in chosen for name in (*each.needs, *each.uses)} | set(_ALWAYS)
    readings = sources.read(names, phase)
    results = [judge(each, sources.cluster, readings) for each in chosen]
    return Report(cluster=sources.cluster, at=at, seconds=time.monotonic() - begun, results=results, readings=readings)


def _result(each: Result) -> dict[str, Any]:
    return {
        "id": each.check.id,
        "criterion": each.check.criterion,
        "title": each.check.title,
        "source": each.check.source,
        "severity": each.check.severity,
        "vantage": each.check.vantage,
        "status": each.status,
        "unread": each.unread,
        "evidence": list(each.evidence),
        "remedy": each.remedy,
    }


def _endpoints(cluster: Cluster, readings: Readings) -> dict[str, Any]:
    services = readings["services"]
    return {} if isinstance(services, Missing) else published(cluster, services)


def _measurements(readings: Readings) -> dict[str, Any]:
    """What the client measured, by vantage and step; what was not is left out."""
    found: dict[str, Any] = {}
    for name, value in readings.items():
        vantage, _, step = name.partition(".")
        if step in {"connections", "mixed", "hundred"} and not isinstance(value, Missing):
            found.setdefault(vantage, {})[step] = value
    return found


def _probes(seen: Seen | Missing | None) -> dict[str, Any] | None:
    if not isinstance(seen, Seen):
        return None
    return {
        "first": seen.first.isoformat() if seen.first else None,
        "share_seen": seen.share_seen,
        "availability": seen.availability,
        "minutes_down": seen.minutes_down,
        "budget": seen.budget,
        "succeeded": seen.succeeded,
        "failed": seen.failed,
    }
