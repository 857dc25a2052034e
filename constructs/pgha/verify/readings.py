"""What was read from a cluster, by name, and why something was not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Reading = Any
"""Of many shapes: what a source found, as JSON would carry it, or Missing."""

Readings = Mapping[str, Reading]
"""By name (`objects`, `instances`, `pod.connections` …): what was read, or Missing."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Why there is no such reading.

    `absent`: the cluster file asks for nothing of the kind. `unasked`: this run was not told to measure it.
    `unread`: it was tried and could not be read; until that is mended nobody knows.
    """

    kind: Literal["absent", "unasked", "unread"]
    reason: str


def absent(reason: str) -> Missing:
    """The cluster file asks for nothing of the kind."""
    return Missing(kind="absent", reason=reason)


def unasked(reason: str) -> Missing:
    """This run was not told to measure it."""
    return Missing(kind="unasked", reason=reason)


def unread(reason: str) -> Missing:
    """It was tried, and could not be read."""
    return Missing(kind="unread", reason=reason)
