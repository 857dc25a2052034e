"""What a rule is, and how all of them are run over a cluster.

A rule is one small function beside its data: code, what must hold, remedy, source, and the keys that it reads. It
yields a `Finding` per fault. Its docstring says why; the catalogue page is made of these.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pgha.config.codes import Code, register
from pgha.config.model import Cluster
from pgha.config.problems import Problem
from pgha.config.text import show


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault: where, and what is there. `must` and `remedy` sharpen the rule's own."""

    path: str
    got: str
    must: str | None = None
    remedy: str | None = None


Findings = Iterator[Finding]
Check = Callable[[Cluster], Findings]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A registered check. `reads` are the paths that it needs to be sound before it can say anything."""

    code: Code
    reads: tuple[str, ...]
    check: Check


RULES: list[Rule] = []
"""Every rule about one file, in the order of the catalogue."""


def rule(id_: str, *, must: str, remedy: str, source: str, reads: Sequence[str]) -> Callable[[Check], Check]:
    """Register a rule."""

    def add(check: Check) -> Check:
        code = register(id_, must=must, remedy=remedy, why=inspect.getdoc(check) or "", source=source)
        RULES.append(Rule(code=code, reads=tuple(reads), check=check))
        return check

    return add


def finding(path: str, got: object, *, must: str | None = None, remedy: str | None = None) -> Finding:
    """A finding whose value is shown as errors show values."""
    return Finding(path=path, got=show(got), must=must, remedy=remedy)


def judge(cluster: Cluster, broken: Iterable[str] = ()) -> list[Problem]:
    """What every rule finds, except those that would read a `broken` path."""
    unusable = list(broken)
    return [
        each.code.at(found.path, found.got, must=found.must, remedy=found.remedy)
        for each in RULES
        if not any(_touch(read, path) for read in each.reads for path in unusable)
        for found in each.check(cluster)
    ]


def _touch(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))
