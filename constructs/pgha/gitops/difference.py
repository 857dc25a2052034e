"""What differs between two descriptions of a cluster, object by object, in the order in which it is applied."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

from pgha.config.model import Cluster
from pgha.engines import Plan, plan
from pgha.gitops.text import to_yaml
from pgha.resources.argocd import KEEP, WAVE
from pgha.resources.metadata import Object, describe

Happens = Literal["created", "changed", "deleted", "kept"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One object. `kept`: it leaves Git, holds data, and stays where it is. `diff` is unified, without a heading."""

    name: str
    happens: Happens
    by: Literal["stack", "Argo CD"]
    wave: int
    diff: str


def differences(before: Cluster | None, after: Cluster) -> list[Difference]:
    """What applying `after` does to the objects of `before`; None is a cluster that does not run yet.

    First what the stack applies, then what Argo CD does, wave by wave; a chart's values count as one object.

    Raises:
        NotBuiltError: The engine cannot do what a file asks for yet.
    """
    new = plan(after)
    old = plan(before) if before else Plan(secrets=[], stack=[], tree=[], requirements=[])
    found = [*_between(old.stack, new.stack, "stack"), *_values(old, new), *_between(old.tree, new.tree, "Argo CD")]
    return sorted(found, key=lambda each: (each.by != "stack", each.wave, each.happens in {"deleted", "kept"}))


def _between(old: list[Object], new: list[Object], by: Literal["stack", "Argo CD"]) -> Iterable[Difference]:
    before, after = ({describe(obj): obj for obj in side} for side in (old, new))
    for name in dict.fromkeys([*after, *before]):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        wave = _wave(other or one or {})
        text = _diff(to_yaml([one]) if one else "", to_yaml([other]) if other else "")
        yield Difference(name=name, happens=_happens(one, other), by=by, wave=wave, diff=text)


def _values(old: Plan, new: Plan) -> Iterable[Difference]:
    before, after = old.release, new.release
    if before == after or after is None:
        return
    text = _diff(to_yaml([before.values]) if before else "", to_yaml([after.values]))
    name = f"chart {after.chart} {after.version}"
    yield Difference(name=name, happens="changed" if before else "created", by="Argo CD", wave=0, diff=text)


def _happens(one: Object | None, other: Object | None) -> Happens:
    if one is None:
        return "created"
    if other is not None:
        return "changed"
    return "kept" if KEEP.items() <= (one["metadata"].get("annotations") or {}).items() else "deleted"


def _wave(obj: Object) -> int:
    return int((obj["metadata"].get("annotations") or {}).get(WAVE, "0"))


def _diff(one: str, other: str) -> str:
    lines = unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=2)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))
