"""What a change of the cluster file does with CloudNativePG, from the operator's source at v1.30.

Where it is decided: `internal/webhook/v1/cluster_webhook.go` (refused), the CRDs' own rules (immutable),
`internal/controller/cluster_upgrade.go` with `pkg/specs/podspec_diff.go` (what replaces pods),
`pkg/reconciler/persistentvolumeclaim` (volumes), `internal/management/controller` (what an instance reloads).
pgha asks for `primaryUpdateMethod: switchover`: what needs a new primary pod is a switchover.
"""

from collections.abc import Iterator

from pgha.config.changes import Change
from pgha.config.model import Cluster
from pgha.engines.cloudnative_pg.effects.clients import DATABASES, NETWORK
from pgha.engines.cloudnative_pg.effects.operations import BACKUP, CREDENTIALS
from pgha.engines.cloudnative_pg.effects.server import SERVER
from pgha.engines.cloudnative_pg.effects.words import CLUSTER
from pgha.engines.cloudnative_pg.images import image
from pgha.engines.effects import Effect, Level, Rulebook, filled
from pgha.engines.effects.common import COMMON


def image_and_parameters(before: Cluster, after: Cluster, found: list[Change]) -> Iterator[Effect]:
    """Another image and other parameters at once: refused by the webhook, as pods are replaced by a switchover."""
    changed = [change for change in found if change.pattern == "postgresql.parameters.*"]
    if changed and image(before) != image(after):
        yield Effect(
            path="postgresql.parameters",
            level=Level.REFUSED,
            old=image(before),
            new=f"{image(after)} with other parameters",
            reason="the operator's webhook takes another image or other parameters, not both at once, where pods are "
            "replaced by a switchover",
            objects=filled(changed[0], CLUSTER),
            remedy="apply the one, wait until the cluster is healthy, then apply the other",
        )


def first_database(before: Cluster, after: Cluster, _found: list[Change]) -> Iterator[Effect]:
    """Another database in first place: it is the one with which a new cluster begins, and nothing else."""
    old, new = (cluster.databases[0].name if cluster.databases else "none" for cluster in (before, after))
    if old != new:
        yield Effect(
            path="databases[0]",
            level=Level.NOTHING,
            old=old,
            new=new,
            reason="a new cluster begins with the first database, and its metrics are read there; no data moves",
            objects=(f"Cluster {before.namespace}/{before.name}",),
        )


RULEBOOK = Rulebook(
    rules={**COMMON, **SERVER, **DATABASES, **NETWORK, **BACKUP, **CREDENTIALS},
    together=(image_and_parameters, first_database),
)
