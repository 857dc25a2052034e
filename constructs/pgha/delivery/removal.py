"""Taking a cluster down: everything that `up` made, in the reverse order, until it is gone."""

import time
from collections.abc import Callable
from typing import Literal

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.delivery.preflight import namespace_of
from pgha.engines import Plan
from pgha.resources.metadata import Object, describe, labels

_POLL_SECONDS = 1.0


def remove(api: Api, cluster: Cluster, planned: Plan, *, timeout: float, say: Callable[[str], None]) -> list[str]:
    """Delete what exists of the plan, last first, each gone before the next; returns what was deleted.

    Objects outside the namespace are deleted only if they carry this cluster's labels.

    Raises:
        UserError: The namespace is not this cluster's, or something is not gone by the deadline; it says what
        holds it.
    """
    namespace_of(api, cluster)
    deadline, removed = time.monotonic() + timeout, []
    for obj in _order(planned):
        live = api.find(obj)
        if live is None or not _ours(live, cluster):
            continue
        say(f"deleting {describe(obj)}")
        api.delete(obj)
        _gone(api, obj, deadline, say)
        removed.append(describe(obj))
    for volume in volumes(api, cluster, policy="Delete"):
        _gone(api, volume, deadline, say)
    return removed


def left(api: Api, cluster: Cluster, until: str = "") -> list[str]:
    """What `remove` leaves of the cluster's data: retained volumes, and backups outside of it `until` when."""
    kept = [f"PersistentVolume {one['metadata']['name']}" for one in volumes(api, cluster, policy="Retain")]
    found = [f"{name} (its storage class retains it)" for name in kept]
    store = cluster.backup.object_store if cluster.backup else None
    return found + ([f"the backups in {store.destination}{until}"] if store else [])


def _order(planned: Plan) -> list[Object]:
    """The reverse of the apply; Argo CD's own objects first, or it would make again what is deleted.

    Those too that a parent had made, which is gone by now.
    """
    found = [*reversed([*(obj for obj in planned.argocd if obj not in planned.stack), *planned.stack, *planned.tree])]
    return sorted(found, key=lambda obj: not obj["apiVersion"].startswith("argoproj.io/"))


def volumes(api: Api, cluster: Cluster, *, policy: Literal["Delete", "Retain"]) -> list[Object]:
    """PersistentVolumes of the cluster's namespace that its storage class deletes with their claims, or retains."""
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume"} | volume
        for volume in api.list("v1", "PersistentVolume")
        if (volume["spec"].get("claimRef") or {}).get("namespace") == cluster.namespace
        and volume["spec"].get("persistentVolumeReclaimPolicy") == policy
    ]


def _ours(live: Object, cluster: Cluster) -> bool:
    return labels(cluster).items() <= (live["metadata"].get("labels") or {}).items()


def _gone(api: Api, obj: Object, deadline: float, say: Callable[[str], None]) -> None:
    while (live := api.find(obj)) is not None:
        say(f"waiting until {describe(obj)} is gone")
        if time.monotonic() >= deadline:
            held = ", ".join(live["metadata"].get("finalizers") or live.get("spec", {}).get("finalizers") or [])
            raise UserError(
                f"{describe(obj)} is not gone yet{f'; it is held by {held}' if held else ''}",
                "see what still uses it, then run the same command again; it continues",
            )
        time.sleep(_POLL_SECONDS)
