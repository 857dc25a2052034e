"""What lives against what the file plans: a server-side dry run of every planned object."""

from collections.abc import Callable, Iterator
from typing import Any

from pgha.delivery.kubernetes import Api, ApiError
from pgha.engines import Plan
from pgha.resources.metadata import Object, describe

_BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_BY_HAND = ("kubectl",)
"""Field managers that are a person at a terminal."""

Drift = dict[str, Any]
"""object, exists, differs (field paths), refused (why the dry run failed), hands (managers that are people)."""


def read(api: Api, planned: Plan, say: Callable[[str], None]) -> list[Drift]:
    """One entry per planned object. Needs the right to patch them; a dry run changes nothing."""
    return [_compared(api, obj, say) for obj in [*planned.stack, *planned.tree]]


def _compared(api: Api, obj: Object, say: Callable[[str], None]) -> Drift:
    say(describe(obj))
    entry: Drift = {"object": describe(obj), "exists": True, "differs": [], "refused": "", "hands": []}
    try:
        live = api.find(obj)
        if live is None:
            return entry | {"exists": False}
        entry["hands"] = sorted(set(_hands(live)))
        entry["differs"] = sorted(_differences(_meant(live), _meant(api.apply(obj, dry_run=True))))
    except ApiError as error:
        entry["refused"] = error.what
    return entry


def _hands(live: Object) -> Iterator[str]:
    """A line for each person's manager that owns fields which nothing else owns.

    A field that is also the delivery's has the value of the file, whoever touched it first.
    """
    entries = [entry for entry in live["metadata"].get("managedFields") or [] if entry.get("subresource") is None]
    ours = {path for entry in entries if not _is_hand(entry) for path in _owned(entry.get("fieldsV1") or {})}
    for entry in filter(_is_hand, entries):
        fields = sorted(set(_owned(entry.get("fieldsV1") or {})) - ours)
        if fields:
            yield f"{', '.join(fields[:5])} by {entry['manager']} at {entry.get('time', 'an unknown time')}"


def _is_hand(entry: Object) -> bool:
    return str(entry.get("manager", "")).startswith(_BY_HAND)


def _owned(fields: Object, path: str = "") -> Iterator[str]:
    """The leaves of a set of fields, in the API server's own notation (`f:spec`, `k:{…}`), as paths."""
    for key, inside in fields.items():
        if key == ".":
            continue
        here = f"{path}.{key.removeprefix('f:')}" if path else key.removeprefix("f:")
        if set(inside) - {"."}:
            yield from _owned(inside, here)
        else:
            yield here


def _meant(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}} | {"metadata": meta}


def _differences(live: object, wanted: object, path: str = "") -> Iterator[str]:
    if isinstance(live, dict) and isinstance(wanted, dict):
        for key in live.keys() | wanted.keys():
            yield from _differences(live.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    elif live != wanted:
        yield path
