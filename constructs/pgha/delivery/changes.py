"""A saved plan of OpenTofu in words: what is made, changed, replaced, destroyed, taken over or let go.

A field counts as changed where what runs differs from what the stack asks for, so that what an operator filled in, what
a provider only notes for itself, and an import of what is as it should be, are no changes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pgha.config.problems import UserError
from pgha.delivery.stack import FOREIGN, RECORD, Resource, identify


class Action(StrEnum):
    """What a plan does to one object."""

    CREATE = "create"
    ADOPT = "adopt"
    CHANGE = "change"
    FORGET = "forget"
    REPLACE = "replace"
    DESTROY = "destroy"


LOSS = {
    "Namespace": "everything in it, its volumes included",
    "Cluster": "its volumes, and every database on them",
    "Release": "the servers that run the databases",
    "StatefulSet": "the servers that run the databases",
    "Database": "the operator's hold on a database, and the database where its reclaim policy says so",
    "PersistentVolumeClaim": "a volume and what is on it",
    "PersistentVolume": "a volume and what is on it",
    "Secret": "passwords that clients use",
    "ExternalSecret": "the Secret that it made, with passwords that clients use",
    "ObjectStore": "the way to the backups",
    "Backup": "the record of a backup",
    FOREIGN: "what pgha does not know: it is not from the cluster file",
}
"""What may go with an object, by its kind; such a one is destroyed only when it is named."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field whose live value differs from the stack's; None is a field that is not there."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object of a plan that something happens to."""

    resource: Resource
    action: Action
    fields: tuple[Field, ...] = ()
    why: str = ""

    @property
    def loss(self) -> str:
        """What may be lost; "" for what destroys nothing, or nothing that matters."""
        destroys = self.action in {Action.REPLACE, Action.DESTROY}
        return LOSS.get(self.resource.kind, "") if destroys else ""


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """What a saved plan will do. `before` and `after` are the recorded cluster files; None where none is recorded."""

    changes: tuple[Change, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def is_empty(self) -> bool:
        """Whether no object is touched."""
        return not self.changes

    def titles(self) -> dict[str, str]:
        """Address → what it is for people."""
        return {change.resource.address: change.resource.title for change in self.changes}


def read(plan: Mapping[str, Any]) -> StackPlan:
    """From `tofu show -json PLAN`."""
    found = [change for entry in plan.get("resource_changes") or [] if (change := _change(entry)) is not None]
    order = list(Action)
    # Not from `prior_state`: OpenTofu puts the outputs that it plans there too.
    record = (plan.get("output_changes") or {}).get(RECORD) or {}
    return StackPlan(
        changes=tuple(sorted(found, key=lambda change: order.index(change.action))),
        before=record.get("before"),
        after=record.get("after"),
    )


def guard(changes: tuple[Change, ...], named: frozenset[str]) -> None:
    """Refuse to destroy what holds data, unless each such object is named.

    Args:
        changes: The plan's.
        named: `Kind/name` of what may be destroyed.

    Raises:
        UserError: Something that holds data is not named, or a name is not among what the plan destroys.
    """
    losing = {change.resource.handle: change for change in changes if change.loss}
    missing = [change for handle, change in losing.items() if handle not in named]
    if missing:
        lines = [f"{change.action} {change.resource.title}: {change.loss}" for change in missing]
        words = " ".join(f"--destroy {change.resource.handle}" for change in missing)
        raise UserError(
            "\n  ".join(["the plan destroys what holds data; nothing was changed", *lines]),
            f"restore the cluster file, or name what may go: {words}",
        )
    wrong = sorted(named - set(losing))
    if wrong:
        known = f"it destroys {', '.join(sorted(losing))}" if losing else "it destroys nothing that holds data"
        raise UserError(f"the plan does not destroy {', '.join(wrong)}; nothing was changed", f"{known}: name that")


def _change(entry: Mapping[str, Any]) -> Change | None:
    change = entry["change"]
    actions, before, after = change["actions"], change.get("before"), change.get("after")
    if entry.get("mode") != "managed" or not (before or after):
        return None
    resource = identify(entry["address"], after or before)
    if actions == ["no-op"] and "importing" not in change:
        return None
    if "delete" in actions:
        gone = identify(entry["address"], before)  # what is replaced may get another name
        action = Action.REPLACE if "create" in actions else Action.DESTROY
        fields = tuple(_fields(entry["type"], before, after or {})) if action is Action.REPLACE else ()
        return Change(resource=gone, action=action, fields=fields, why=_why(entry))
    if "forget" in actions:
        return Change(resource=resource, action=Action.FORGET)
    if actions == ["create"]:
        return Change(resource=resource, action=Action.CREATE)
    fields = tuple(_fields(entry["type"], before or {}, after or {}))
    return Change(resource=resource, action=Action.ADOPT if "importing" in change else Action.CHANGE, fields=fields)


def _why(entry: Mapping[str, Any]) -> str:
    match entry.get("action_reason"):
        case "replace_because_tainted":
            return "its creation was not seen to its end"
        case "replace_because_cannot_update":
            paths = [".".join(str(step) for step in path) for path in entry["change"].get("replace_paths") or []]
            return f"{', '.join(paths)} cannot be changed in place"
        case "delete_because_no_resource_config":
            return "it is not in the cluster file any more"
        case _:
            return ""


def _fields(type_: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Field]:
    """Every leaf that the stack asks for and that is another one live, and every one that it asks for no more."""
    asked, asked_before, live = _views(type_, before, after)
    running = dict(_leaves(live))
    wanted, wanted_before = dict(_leaves(asked)), dict(_leaves(asked_before))
    for path, value in wanted.items():
        if not _same(running.get(path), value):
            yield Field(path=path, old=running.get(path), new=value)
    for path in wanted_before:
        if path not in wanted and running.get(path) is not None:
            yield Field(path=path, old=running[path], new=None)


def _views(type_: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What is asked for, what was asked for before, and what is there."""
    match type_:
        case "kubernetes_manifest":
            return after.get("manifest"), before.get("manifest"), before.get("object")
        case "helm_release":
            return _chart(after), _chart(before), _chart(before)
        case _:
            return _typed(after), _typed(before), _typed(before)


def _chart(values: Mapping[str, Any]) -> dict[str, Any]:
    texts = [text for text in values.get("values") or [] if text]
    parsed = {"values": json.loads(texts[0]) if texts and texts[0].startswith("{") else texts}
    return {key: values.get(key) for key in ("name", "namespace", "chart", "version", "repository")} | parsed


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    meta = (values.get("metadata") or [{}])[0]
    found: dict[str, Any] = {"metadata": {key: meta.get(key) for key in ("name", "labels", "annotations")}}
    if values.get("data_wo_revision") is not None:
        found["passwords"] = f"revision {values['data_wo_revision']}"
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - whatever JSON holds
    match value:
        case Mapping() if value:
            for key, inner in value.items():
                plain = str(key).replace("-", "").replace("_", "").isalnum()
                yield from _leaves(inner, f"{path}.{key}".lstrip(".") if plain else f"{path}[{key}]")
        case list() if value:
            for number, inner in enumerate(value):
                yield from _leaves(inner, f"{path}[{number}]")
        case _:
            yield path, value


def _same(live: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Whether both mean one thing: the provider keeps 5432 as "5432", and an empty mapping as one of nothing."""
    if wanted in ({}, []):
        return True
    return live == wanted or (live is not None and str(live) == str(wanted))
