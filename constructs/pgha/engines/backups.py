"""What backups are, whatever the engine: how one is asked for, and what its objects say about those that there are.

Pure, like the engines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pgha.config.model import Cluster
from pgha.engines.base import Reader
from pgha.resources.metadata import Object

Kind = Literal["physical", "pg_dump"]

Lister = Callable[[str, str, str | None, Mapping[str, str] | None], Sequence[Object]]
"""Lists live objects: (apiVersion, kind, namespace, labels) → objects, empty where the server has no such kind."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One backup, from the object that recorded it."""

    name: str
    phase: Literal["waiting", "running", "done", "failed"]
    on_demand: bool
    """Whether a person asked for it; else the schedule did."""
    id: str = ""
    """What it is called where it lies."""
    started: datetime | None = None
    finished: datetime | None = None
    end_wal: str = ""
    """The last segment of write-ahead log without which it cannot be restored; empty where it needs none."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One backup as it lies in the store."""

    id: str
    size: int | None
    """Bytes of the data that it was made from; None where the store does not tell."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A command in the primary's pod that prints what lies in the store."""

    container: str
    command: tuple[str, ...]
    secrets: Mapping[str, tuple[str, str]]
    """Environment variable → Secret and key; the command reads the values as JSON from its standard input."""


class Backups(Protocol):
    """An engine's backups."""

    kind: Kind

    makes_clusters: bool
    """Whether a new cluster can be made from them, at any moment between the first and now."""

    instead: str
    """Where it cannot: what to do."""

    def request(self, cluster: Cluster, name: str, read: Reader) -> Object | None:
        """The object that makes a backup now; None while there is nothing yet that could make one."""

    def known(self, cluster: Cluster, list_: Lister) -> list[Backup]:
        """Every backup that has a record, the newest first."""

    def earliest(self, cluster: Cluster, read: Reader) -> datetime | None:
        """The first moment that can be restored; None where there is none, or the engine has no such thing."""

    def trouble(self, cluster: Cluster, read: Reader) -> str:
        """Why backups cannot be made or used at the moment; empty where nothing is known against it."""

    def borrowed(self, cluster: Cluster) -> Mapping[str, tuple[str, ...]]:
        """Secrets that somebody else makes in the namespace, with the keys that they must have."""

    def inquiry(self, cluster: Cluster) -> Inquiry | None:
        """How to ask the store itself; None where it cannot be."""

    def stored(self, printed: str) -> list[Stored]:
        """What the inquiry printed.

        Raises:
            ValueError: It is not what was expected.
        """

    def recovery_pods(self, cluster: Cluster) -> Mapping[str, str]:
        """Labels of the pods that make a new cluster from backups."""
