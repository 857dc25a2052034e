"""Waiting with a deadline, and saying what is in the way when it passes."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.engines import engine_of
from pgha.engines.base import Readiness
from pgha.resources.metadata import Object
from pgha.resources.pods import is_ready

_POLL_SECONDS = 2.0
_SETTLING_SECONDS = 8.0
_AWAY_SECONDS = 90.0  # a control plane's node that restarts is back within this


def until_ready(
    api: Api, cluster: Cluster, *, timeout: float, say: Callable[[str], None], changed: bool = False
) -> Readiness:
    """Poll the engine's judgement until it is ready.

    An API server that is away for a moment is waited for too. After a change, a cluster that is ready at the first
    look has to stay so: operators do not say which generation their status is of, and a restart may yet begin.

    Raises:
        UserError: The deadline passed, or waiting is hopeless; it names pods and events in the way.
    """
    engine, begun, away_since = engine_of(cluster), time.monotonic(), None
    deadline, settled = begun + timeout, begun + (min(_SETTLING_SECONDS, timeout) if changed else 0)
    while True:
        try:
            found = engine.readiness(cluster, api.read)
            away_since = None
        except ApiError as error:
            away_since = away_since or time.monotonic()
            if error.is_final or time.monotonic() - away_since > _AWAY_SECONDS:
                raise
            found = Readiness(ready=False, summary=error.what)
        if found.ready and time.monotonic() >= settled:
            return found
        if not found.ready:
            settled = begun  # its operator is at it
        say(found.summary)
        if found.failed or time.monotonic() >= deadline:
            reason = "cannot become ready" if found.failed else f"is not ready after {timeout:.0f} s"
            details = obstacles(api, cluster.namespace, engine.pods(cluster))
            raise UserError(
                "\n  ".join([f"cluster {cluster.name} {reason}: {found.summary}", *details]),
                "mend that and run the same command again; it continues",
            )
        time.sleep(_POLL_SECONDS)


def obstacles(api: Api, namespace: str, pods: Mapping[str, str], limit: int = 6) -> list[str]:
    """Pods that are not ready, each with its reason, and the namespace's newest warnings."""
    try:
        found = [_pod(pod) for pod in api.list("v1", "Pod", namespace) if pods.items() <= _labels(pod).items()]
        events = [event for event in api.list("v1", "Event", namespace) if event.get("type") == "Warning"]
    except ApiError as error:
        return [error.what]
    newest = sorted(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")[-limit:]
    lines = [line for line in found if line]
    lines += [
        f"event {event['involvedObject'].get('kind')} {event['involvedObject'].get('name')}: "
        f"{event.get('reason')}: {' '.join(str(event.get('message') or '').split())}"
        for event in newest
    ]
    return lines or [f"no pod and no warning in namespace {namespace}: is the operator running?"]


def _pod(pod: Object) -> str | None:
    if is_ready(pod):
        return None
    status = pod.get("status") or {}
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    reasons = [
        f"{state['waiting'].get('reason')}: {state['waiting'].get('message', '')}".strip(": ")
        for state in (entry.get("state") or {} for entry in status.get("containerStatuses") or [])
        if "waiting" in state
    ]
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        reasons.append(str(scheduled.get("message") or scheduled.get("reason")))
    phase = status.get("phase", "unknown")
    return f"pod {pod['metadata']['name']}: {', '.join([phase, '; '.join(reasons)] if reasons else [phase])}"


def _labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
