"""What a change of the cluster file does to the running cluster: the words for it, and how rules are asked.

The rules are the engines': `pgha.engines.effects.common` has those that hold for any of them, each engine's own module
`effects` the rest. A rule is data, so that docs/reference/effects.md is made from the same lines that answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pgha.config.changes import Change, changes
from pgha.config.model import Cluster
from pgha.config.text import dns_label


class Level(StrEnum):
    """How much a running cluster feels a change, the worst first."""

    REFUSED = "refused"
    BY_HAND = "by hand"
    OUTAGE = "outage"
    VOLUME = "new volume"
    FAILOVER = "failover"
    RESTART = "restart"
    ACCESS = "access"
    RELOAD = "reload"
    NOTHING = "nothing"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Level).index(self)


MEANING = {
    Level.REFUSED: "It cannot be done to a running cluster: Kubernetes, the operator or the data itself stands against "
    "it, or data would be lost.",
    Level.BY_HAND: "Applying the file does not do it, or only a part: a person must do what the remedy says.",
    Level.OUTAGE: "Every server stops until it is done.",
    Level.VOLUME: "Volumes are made, enlarged or deleted; data is copied.",
    Level.FAILOVER: "Servers are replaced or restarted one after another, the primary last: another server takes its "
    "place, its sessions end and writes wait for seconds.",
    Level.RESTART: "Programs start anew where they are: the sessions through them end; nobody is promoted.",
    Level.ACCESS: "Who may connect, from where, to which address or with which password; no server stops.",
    Level.RELOAD: "The servers read their configuration again; sessions go on.",
    Level.NOTHING: "No server and no client notices.",
}


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What one change does: how bad it is, why, and which objects it touches. `remedy` is what a person can do."""

    path: str
    level: Level
    old: str
    new: str
    reason: str
    objects: tuple[str, ...] = ()
    remedy: str = ""


Condition = Callable[[Change], bool]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that a key's change can do. `when` decides, `said` is the same in words for the reference page.

    `objects` are `Kind namespace/name`; braces are filled in (`{name}`, `{namespace}`, `{entry}`, …) and `*` stands for
    anything.
    """

    level: Level
    reason: str
    objects: tuple[str, ...] = ()
    remedy: str = ""
    when: Condition | None = None
    said: str = ""


Rules = Mapping[str, tuple[Case, ...]]
"""Key (with `[]` and `*`) → its cases; the first that holds is the answer, and the last always holds."""

Together = Callable[[Cluster, Cluster, list[Change]], Iterator[Effect]]
"""What the two files do together that none of the changes does alone."""


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """Everything that an engine knows about changes."""

    rules: Rules
    together: tuple[Together, ...] = ()


def judge(book: Rulebook, before: Cluster, after: Cluster) -> list[Effect]:
    """What the change from one file to the other does, the worst first. Empty for files that mean the same."""
    found = changes(before, after)
    effects = [_effect(change, book.rules[change.pattern]) for change in found]
    effects += [effect for rule in book.together for effect in rule(before, after, found)]
    return sorted(effects, key=lambda effect: effect.level.rank)


def worst(effects: Iterable[Effect]) -> Level:
    """The worst level among them."""
    return min((effect.level for effect in effects), key=lambda level: level.rank, default=Level.NOTHING)


def filled(change: Change, templates: tuple[str, ...]) -> tuple[str, ...]:
    """Object templates with the names of the old and of the new file."""
    found = [
        template.format(**_names(change, cluster))
        for template in templates
        for cluster in (change.before, change.after)
    ]
    return tuple(dict.fromkeys(found))


def _names(change: Change, cluster: Cluster) -> dict[str, str]:
    secrets = {user.name: cluster.secret_name(user) for user in cluster.users}
    return {
        # Another name or namespace is another cluster: what is touched is the one that runs.
        "name": change.before.name,
        "namespace": change.before.namespace,
        "pool": cluster.pool_name,
        "project": cluster.project_name,
        "argocd": cluster.gitops.argocd_namespace,
        "entry": dns_label(change.entry) if change.entry else "*",
        "secret": secrets.get(change.entry, f"{change.before.name}-{dns_label(change.entry or '*')}"),
    }


def _effect(change: Change, cases: tuple[Case, ...]) -> Effect:
    case = next(case for case in cases if case.when is None or case.when(change))
    return Effect(
        path=change.path,
        level=case.level,
        old=change.was,
        new=change.becomes,
        reason=case.reason,
        objects=filled(change, case.objects),
        remedy=case.remedy,
    )
