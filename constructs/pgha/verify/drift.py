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
    for entry in live["metadata"].get("managedFields") or []:
        manager = str(entry.get("manager", ""))
        if manager.startswith(_BY_HAND) and entry.get("subresource") is None:
            yield f"{manager} at {entry.get('time', 'an unknown time')}"


def _meant(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}} | {"metadata": meta}


def _differences(live: object, wanted: object, path: str = "") -> Iterator[str]:
    if isinstance(live, dict) and isinstance(wanted, dict):
        for key in live.keys() | wanted.keys():
            yield from _differences(live.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    elif live != wanted:
        yield path
