"""A planned change of the primary: asked for, and waited for until the cluster is whole again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of
from pgha.resources.pods import is_ready

_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Switchover:
    """Who was the primary and who is; `seconds` until the cluster was whole again, 0 where nothing was to do."""

    before: str
    after: str
    seconds: float


def switch_over(
    api: Api, cluster: Cluster, to: str | None, *, timeout: float, say: Callable[[str], None]
) -> Switchover:
    """Make another instance the primary; without `to` the first standby by name that is ready.

    Raises:
        UserError: The cluster is not whole, there is no such standby, its engine has no switchover, or it did not end
            in time.
    """
    engine = engine_of(cluster)
    before = engine.primary(cluster, api.read)
    if to is not None and before == to:
        return Switchover(before=to, after=to, seconds=0)
    found = engine.readiness(cluster, api.read)
    if not found.ready:
        raise UserError(
            f"a switchover wants a whole cluster, and {cluster.name} is not: {found.summary}",
            "wait for it, or look: pgha status",
        )
    target = _standby(api, cluster, before, to)
    obj, change = engine.switchover(cluster, target, datetime.now(UTC))
    begun = time.monotonic()
    api.merge_status(obj, change)
    while True:
        found = engine.readiness(cluster, api.read)
        if found.ready and engine.primary(cluster, api.read) == target:
            return Switchover(before=before or "", after=target, seconds=round(time.monotonic() - begun, 1))
        if time.monotonic() - begun > timeout:
            raise UserError(
                f"{target} was asked to become the primary, and after {timeout:.0f} s: {found.summary}",
                "the operator goes on with it; look: pgha status",
            )
        say(found.summary)
        time.sleep(_POLL_SECONDS)


def _standby(api: Api, cluster: Cluster, primary: str | None, wanted: str | None) -> str:
    pods = api.list("v1", "Pod", cluster.namespace, engine_of(cluster).instances(cluster))
    ready = sorted(pod["metadata"]["name"] for pod in pods if is_ready(pod) and pod["metadata"]["name"] != primary)
    if wanted is None and ready:
        return str(ready[0])
    if wanted is None or wanted not in ready:
        what = f"{wanted} is no standby that is ready" if wanted else "no standby is ready"
        raise UserError(what, f"choose one of: {', '.join(ready)}" if ready else "wait for one: pgha status")
    return wanted
