"""The cluster at a glance: the few readings that need no client, all asked at once, within two seconds."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pgha.config.model import Cluster
from pgha.delivery import argocd
from pgha.delivery.kubernetes import Api, ApiError
from pgha.delivery.waiting import obstacles
from pgha.engines import engine_of
from pgha.resources.metadata import Object
from pgha.verify import instances
from pgha.verify.checks.connecting import published
from pgha.verify.checks.storage import share_used
from pgha.verify.members import members
from pgha.verify.readings import Missing, Reading, Readings, unread


def glance(api: Api, cluster: Cluster) -> dict[str, Any]:
    """Facts for `pgha status`: ready, summary, instances, endpoints, backups, obstacles, what Argo CD does.

    Raises:
        ApiError: The API server does not answer.
    """
    engine = engine_of(cluster)
    _ = api.version
    api.knows("v1", "Pod")  # asked once, before threads ask for it at the same time

    def asked() -> Reading:
        pods = api.list("v1", "Pod", cluster.namespace, dict(engine.instances(cluster)))
        return instances.read(api, cluster, pods, glance=True)

    questions = {
        "pods": lambda: api.list("v1", "Pod", cluster.namespace),
        "services": lambda: api.list("v1", "Service", cluster.namespace),
        "claims": lambda: api.list("v1", "PersistentVolumeClaim", cluster.namespace),
        "readiness": lambda: engine.readiness(cluster, api.read),
        "backups": lambda: engine.backups.known(cluster, api.list) if cluster.backup else [],
        "instances": asked,
        "application": lambda: argocd.find(api, cluster) if cluster.delivery == "argocd" else None,
    }
    with ThreadPoolExecutor(len(questions)) as pool:
        futures = {name: pool.submit(question) for name, question in questions.items()}
        readings: dict[str, Reading] = {name: _result(future) for name, future in futures.items()}
    return _facts(api, cluster, readings)


def _result(future: Any) -> Reading:  # noqa: ANN401
    try:
        return future.result()
    except ApiError as error:
        return unread(error.what)


def _facts(api: Api, cluster: Cluster, readings: Readings) -> dict[str, Any]:
    readiness, asked = readings["readiness"], readings["instances"]
    ready = not isinstance(readiness, Missing) and readiness.ready
    found = members(cluster, readings)
    used = share_used(cluster, readings) if isinstance(asked, dict) else {}
    for entry in found:
        facts = asked.get(entry["pod"], {}) if isinstance(asked, dict) else {}
        entry |= {
            "clients": facts.get("clients"),
            "max_connections": facts.get("max_connections"),
            "version": facts.get("version"),
            "storage": used.get(entry["pod"]),
            "error": facts.get("error"),
        }
    services, backups = readings["services"], readings["backups"]
    return {
        "cluster": cluster.name,
        "namespace": cluster.namespace,
        "ready": ready,
        "summary": readiness.reason if isinstance(readiness, Missing) else readiness.summary,
        "instances": found,
        "unread": [value.reason for value in readings.values() if isinstance(value, Missing)],
        "endpoints": {} if isinstance(services, Missing) else published(cluster, services),
        "last_backup": _last(backups),
        "argocd": _applied(readings["application"]),
        "obstacles": [] if ready else obstacles(api, cluster.namespace, engine_of(cluster).pods(cluster)),
    }


def _applied(app: Reading) -> Object | None:
    """What Argo CD applied, and since when it is paused: nobody may forget a pause."""
    if app is None or isinstance(app, Missing):
        return None
    found = argocd.state(app, [])
    return {"summary": found.summary, "revision": found.revision, "paused": found.paused}


def _last(backups: Reading) -> Object | None:
    done = [] if isinstance(backups, Missing) else [each for each in backups if each.phase == "done" and each.finished]
    newest = max(done, key=lambda each: each.finished, default=None)
    return {"name": newest.name, "at": newest.finished.isoformat()} if newest else None
