"""How far a live cluster is, judged from what the operator and MetalLB report."""

from typing import Any

from pgha.config.model import Cluster
from pgha.engines.base import Reader, Readiness
from pgha.engines.cloudnative_pg import roles
from pgha.engines.cloudnative_pg.access import jobs
from pgha.engines.cloudnative_pg.catalogue import archives, missing_secret
from pgha.engines.cloudnative_pg.cluster import API_VERSION, asks_quorum, databases
from pgha.engines.cloudnative_pg.pooler import poolers
from pgha.engines.cloudnative_pg.secrets import waiting as unfilled_secret
from pgha.engines.cloudnative_pg.services import lan_services
from pgha.resources.metadata import Object

HEALTHY = "Cluster in healthy state"

_HOPELESS = {
    "Invalid cluster definition",
    "Cluster is unrecoverable and needs manual intervention",
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
    "Cluster has incomplete or invalid image catalog",
}
"""Phases that waiting does not end (api/v1/cluster_types.go)."""


def judge(cluster: Cluster, read: Reader) -> Readiness:
    """Ready when all Secrets, instances, roles, databases and addresses are; else the first that is not."""
    if unfilled := unfilled_secret(cluster, read) or missing_secret(cluster, read):
        return Readiness(ready=False, summary=unfilled)
    live = read(API_VERSION, "Cluster", cluster.namespace, cluster.name)
    if live is None:
        return Readiness(ready=False, summary="the Cluster does not exist")
    status: dict[str, Any] = live.get("status") or {}
    phase = str(status.get("phase") or "the operator has not seen the Cluster yet")
    if phase in _HOPELESS:
        return Readiness(ready=False, failed=True, summary=f"{phase}: {status.get('phaseReason') or 'no reason given'}")
    instances = f"{status.get('readyInstances', 0)} of {cluster.instances} instances ready"
    if recovering := _recovery(cluster, read):
        return recovering
    if phase != HEALTHY or status.get("readyInstances", 0) < cluster.instances:
        return Readiness(ready=False, summary=f"{phase}, {instances}")
    if waiting := _quorum(cluster, read) or _roles(live) or roles.waiting(cluster, read) or _databases(cluster, read):
        return Readiness(ready=False, summary=waiting)
    if job := _access(cluster, read):
        return job
    if waiting := _poolers(cluster, read) or _addresses(cluster, read) or _archive(cluster, live):
        return Readiness(ready=False, summary=waiting)
    return Readiness(ready=True, summary=f"{instances}, primary {status.get('currentPrimary')}")


def _recovery(cluster: Cluster, read: Reader) -> Readiness | None:
    """A recovery that has failed; the operator's job tries it seven times, with ever longer pauses."""
    if cluster.recovery is None:
        return None
    status = (read("batch/v1", "Job", cluster.namespace, f"{cluster.name}-1-full-recovery") or {}).get("status") or {}
    given_up = any(entry["type"] == "Failed" for entry in status.get("conditions") or [])
    if not status.get("failed") or status.get("succeeded"):
        return None
    where = f"kubectl -n {cluster.namespace} logs -l cnpg.io/jobRole=full-recovery --all-containers --tail 20"
    return Readiness(ready=False, failed=given_up, summary=f"recovery failed {status['failed']} times; see {where}")


def _quorum(cluster: Cluster, read: Reader) -> str | None:
    """The primary records what its server says about itself: without a record it is not synchronous."""
    if not asks_quorum(cluster):
        return None
    live = read(API_VERSION, "FailoverQuorum", cluster.namespace, cluster.name) or {}
    if (live.get("status") or {}).get("standbyNumber"):
        return None
    return "the primary is not synchronous yet (for more than a minute: docs/runbooks/replication.md)"


def _roles(live: Object) -> str | None:
    report = live["status"].get("managedRolesStatus") or {}
    done = set(report.get("byStatus", {}).get("reconciled", []))
    for role in live["spec"].get("managed", {}).get("roles", []):
        name = role["name"]
        if name not in done:
            reasons = report.get("cannotReconcile", {}).get(name)
            return f"role {name}: {'; '.join(reasons) if reasons else 'not made yet'}"
    return None


def _databases(cluster: Cluster, read: Reader) -> str | None:
    for wanted in databases(cluster):
        live = read(API_VERSION, "Database", cluster.namespace, wanted["metadata"]["name"])
        status = (live or {}).get("status") or {}
        if not status.get("applied"):
            return f"database {wanted['spec']['name']}: {status.get('message') or 'not made yet'}"
    return None


def _access(cluster: Cluster, read: Reader) -> Readiness | None:
    for job in jobs(cluster):
        name = job["metadata"]["name"]
        status = (read("batch/v1", "Job", cluster.namespace, name) or {}).get("status") or {}
        failed = [entry for entry in status.get("conditions") or [] if entry["type"] == "Failed"]
        if failed:
            return Readiness(ready=False, failed=True, summary=f"Job {name}: {failed[0].get('message') or 'it failed'}")
        if not status.get("succeeded"):
            return Readiness(ready=False, summary=f"Job {name}: privileges are not given yet")
    return None


def _poolers(cluster: Cluster, read: Reader) -> str | None:
    for wanted in poolers(cluster):
        name, instances = wanted["metadata"]["name"], wanted["spec"]["instances"]
        live = read("apps/v1", "Deployment", cluster.namespace, name) or {}
        ready = (live.get("status") or {}).get("availableReplicas", 0)
        if ready < instances:
            return f"pooler {name}: {ready} of {instances} pods ready"
    return None


def _archive(cluster: Cluster, live: Object) -> str | None:
    """With backups in the file a cluster is ready when its write-ahead log has reached the store."""
    return archives(live) if cluster.backup else None


def _addresses(cluster: Cluster, read: Reader) -> str | None:
    for name, address, _ in lan_services(cluster):
        live = read("v1", "Service", cluster.namespace, name)
        ingress = ((live or {}).get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        if address not in [entry.get("ip") for entry in ingress]:
            return f"Service {name} has no address {address} yet"
    return None
