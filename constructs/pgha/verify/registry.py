"""Checks as data: what each promises, where that is from, from where it is measured, and how it is judged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Literal

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.verify.readings import Missing, Readings

Status = Literal["passed", "failed", "not applicable", "not measured"]
Severity = Literal["critical", "major", "minor"]
"""critical: data or the service is at stake; major: a promise is broken; minor: it will be one day."""
Vantage = Literal["pod", "lan", "api", "files"]

_MODULES = ("connecting", "capacity", "admission", "data", "topology", "storage", "operation", "principles")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a judge says: the status, the facts behind it, and a remedy where the check's own does not fit."""

    status: Status
    evidence: tuple[str, ...]
    remedy: str = ""


Judge = Callable[[Cluster, Readings], Verdict]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise. `id` is the seed's criterion; a dot and a word tell several checks of one apart."""

    id: str
    title: str
    source: str
    severity: Severity
    vantage: Vantage
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    """Readings that it takes into account where there are any; without one of `needs` it cannot be judged."""
    remedy: str
    judge: Judge = field(repr=False)

    @property
    def criterion(self) -> str:
        """The seed's own number: `FR-005` of `FR-005.primary`."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A check and how it ended. `unread` marks what was tried and could not be read."""

    check: Check
    status: Status
    evidence: tuple[str, ...]
    remedy: str = ""
    unread: bool = False


_CHECKS: dict[str, Check] = {}


def check(
    id_: str,
    title: str,
    *,
    source: str,
    needs: Iterable[str],
    remedy: str,
    uses: Iterable[str] = (),
    severity: Severity = "major",
    vantage: Vantage = "api",
) -> Callable[[Judge], Judge]:
    """Register a judge as the check of that id."""

    def register(judge: Judge) -> Judge:
        if id_ in _CHECKS:
            raise ValueError(f"two checks are called {id_}")
        _CHECKS[id_] = Check(
            id=id_,
            title=title,
            source=source,
            severity=severity,
            vantage=vantage,
            needs=tuple(needs),
            uses=tuple(uses),
            remedy=remedy,
            judge=judge,
        )
        return judge

    return register


def passed(*evidence: str) -> Verdict:
    """The promise is kept."""
    return Verdict(status="passed", evidence=evidence)


def failed(*evidence: str, remedy: str = "") -> Verdict:
    """The promise is broken."""
    return Verdict(status="failed", evidence=evidence, remedy=remedy)


def verdict(faults: Iterable[str], *otherwise: str) -> Verdict:
    """Failed with these faults; passed with the other evidence where there are none."""
    found = tuple(faults)
    return failed(*found) if found else passed(*otherwise)


def not_applicable(reason: str) -> Verdict:
    """The cluster file asks for nothing of the kind."""
    return Verdict(status="not applicable", evidence=(reason,))


def not_measured(reason: str) -> Verdict:
    """Nobody can say yet."""
    return Verdict(status="not measured", evidence=(reason,))


def checks() -> list[Check]:
    """Every check, in the order of its page."""
    for module in _MODULES:
        import_module(f"pgha.verify.checks.{module}")
    order = ("SC", "FR", "EDGE", "DM", "P")
    return sorted(_CHECKS.values(), key=lambda each: (order.index(each.id.partition("-")[0]), each.id))


def chosen(patterns: Iterable[str]) -> list[Check]:
    """The checks that `--only` names: ids, criteria, or either with `*`; all where it names none.

    Raises:
        UserError: A pattern names none.
    """
    every, wanted = checks(), [pattern.strip() for pattern in patterns if pattern.strip()]
    for pattern in wanted:
        if not any(_matches(each, pattern) for each in every):
            raise UserError(f"--only {pattern} names no check", "pgha verify --list names them all")
    return [each for each in every if not wanted or any(_matches(each, pattern) for pattern in wanted)]


def _matches(found: Check, pattern: str) -> bool:
    text = pattern.upper()
    return fnmatchcase(found.id.upper(), text) or fnmatchcase(found.criterion.upper(), text)


def judge(found: Check, cluster: Cluster, readings: Readings) -> Result:
    """Judge one check; what a needed reading lacks decides before its judge is asked."""
    for need in found.needs:
        value = readings.get(need)
        if isinstance(value, Missing):
            status: Status = "not applicable" if value.kind == "absent" else "not measured"
            return Result(check=found, status=status, evidence=(value.reason,), unread=value.kind == "unread")
    said = found.judge(cluster, readings)
    remedy = (said.remedy or found.remedy) if said.status == "failed" else ""
    return Result(check=found, status=said.status, evidence=said.evidence, remedy=remedy)
