"""What an engine is: a strategy that turns a cluster file into plain objects.

Pure; nothing here reads or writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.resources.credentials import GeneratedSecret
from pgha.resources.metadata import Object

if TYPE_CHECKING:
    from pgha.engines.backups import Backups

Reader = Callable[[str, str, str | None, str], Object | None]
"""Reads one live object: (apiVersion, kind, namespace, name) → the object, or None where there is none."""


class NotBuiltError(UserError):
    """A cluster file asks for something valid that this version of an engine cannot do yet."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An address that clients use."""

    role: Literal["read-write", "read-only", "any"]
    vantage: Literal["cluster", "lan"]
    host: str
    port: int
    pooled: bool = False
    service: str = ""
    tls: bool = True
    """Whether the server offers TLS there: a client that requires it would not get in where it does not."""

    @property
    def sslmode(self) -> str:
        """The word of libpq for as much TLS as there is."""
        return "require" if self.tls else "prefer"


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How far a cluster is. `ready` ends the waiting; `failed` ends it too, with the reason in `summary`."""

    ready: bool
    summary: str
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A custom resource that must be known before anything is applied, and who brings it."""

    api_version: str
    kind: str
    brought_by: str


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What whoever applies an object must know about it beyond its text."""

    defaulted: tuple[str, ...] = ()
    """Field paths that an operator completes after the apply; a difference there is no drift."""
    until: Mapping[str, str] = field(default_factory=dict)
    """Status fields and the values that say the object has done its work; empty: nothing to wait for."""
    conditions: tuple[str, ...] = ()
    """Conditions in its status that must be True for the same."""
    holds_data: bool = False
    """Deleting it deletes data."""
    wave: int = 0
    """When it is applied, lowest first: below 0 before the chart and what runs PostgreSQL, above 0 after it."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A chart to install beside the objects, and everything that it is given."""

    name: str
    chart: str
    version: str
    repository: str
    """`oci://…` or `https://…`."""
    values: Object
    values_name: str
    """File name of the values in the tree of Argo CD."""
    kinds: tuple[tuple[str, str], ...]
    """API group and kind of all that the chart makes: whoever installs it needs no more rights than these."""
    ignored: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By group and kind: jq paths that the server adds to what the chart says."""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """How one instance is asked over its own socket, in its own pod: no Service or proxy can answer instead."""

    container: str
    psql: tuple[str, ...]
    """psql as the server's superuser; its options follow."""
    open_by_password: bool = False
    """The server's own pg_hba admits every address by password: a proxy and NetworkPolicies keep networks out."""


class Engine(Protocol):
    """One way of running PostgreSQL on Kubernetes."""

    name: str

    @property
    def backups(self) -> "Backups":
        """How its backups are made, and what can be made from them."""

    def secrets(self, cluster: Cluster) -> Sequence[GeneratedSecret]:
        """Secrets with generated passwords; empty where they come from elsewhere."""

    def objects(self, cluster: Cluster) -> Sequence[Object]:
        """Every other object, in the order in which they are applied, the Namespace first.

        No empty lists inside.

        Raises:
            NotBuiltError: The file asks for something that this engine cannot do yet.
        """

    def release(self, cluster: Cluster) -> Release | None:
        """The chart that runs PostgreSQL, where one does. What it makes is in none of `objects`."""

    def traits(self, obj: Object) -> Traits:
        """How one of `objects` is applied, waited for and guarded."""

    def endpoints(self, cluster: Cluster) -> Sequence[Endpoint]:
        """Addresses by vantage and role, the one to prefer first."""

    def requirements(self, cluster: Cluster) -> Sequence[Requirement]:
        """Custom resources that `objects` uses."""

    def readiness(self, cluster: Cluster, read: Reader) -> Readiness:
        """Judge the running cluster from its live objects."""

    def pods(self, cluster: Cluster) -> Mapping[str, str]:
        """Labels of the pods that run PostgreSQL: where to look when it does not become ready."""

    def client_image(self, cluster: Cluster) -> str:
        """An image with psql, for proving a connection from inside a pod."""

    def instances(self, cluster: Cluster) -> Mapping[str, str]:
        """Labels of the pods that hold data: one primary, the rest standbys."""

    def shell(self, cluster: Cluster) -> Shell:
        """How to ask such a pod."""

    def primary(self, cluster: Cluster, read: Reader) -> str | None:
        """The pod that Kubernetes takes for the primary; None where nobody keeps a record of it."""

    def switchover(self, cluster: Cluster, to: str, now: datetime) -> tuple[Object, Object]:
        """An object, and the merge patch of its status that makes pod `to` the primary.

        Raises:
            NotBuiltError: This engine cannot be asked for one.
        """
