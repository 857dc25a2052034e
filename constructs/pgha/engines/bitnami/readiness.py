"""How far a live cluster is, judged from the chart's workloads, the access job and the LAN's address."""

from pgha.config.model import Cluster
from pgha.engines.base import Reader, Readiness
from pgha.engines.bitnami import chart, pgpool
from pgha.engines.bitnami.access import access
from pgha.resources import external_secrets
from pgha.resources.metadata import Object


def judge(cluster: Cluster, read: Reader) -> Readiness:
    """Ready when Secrets, servers, Pgpool-II, roles and address are; else the first that is not."""
    secrets = external_secrets.objects(cluster, external_secrets.of_users(cluster))
    if unfilled := external_secrets.waiting(secrets, read):
        return Readiness(ready=False, summary=unfilled)
    counts = []
    for kind, name, wanted in _workloads(cluster):
        live = read("apps/v1", kind, cluster.namespace, name)
        if live is None:
            return Readiness(ready=False, summary=f"the {kind} {name} does not exist yet: the chart is not installed")
        ready = _status(live).get("readyReplicas") or 0
        if _status(live).get("observedGeneration") != live["metadata"].get("generation") or ready < wanted:
            return Readiness(ready=False, summary=f"{kind} {name}: {ready} of {wanted} pods ready")
        counts.append(f"{ready} {name}")
    waiting = _access(cluster, read) or _address(cluster, read)
    if waiting is not None:
        return waiting
    return Readiness(ready=True, summary=f"pods ready: {', '.join(counts)}")


def _workloads(cluster: Cluster) -> list[tuple[str, str, int]]:
    found = [("StatefulSet", chart.server(cluster), cluster.instances)]
    if chart.has_witness(cluster):
        found.append(("StatefulSet", f"{chart.server(cluster)}-witness", 1))
    return [*found, ("Deployment", chart.pgpool(cluster), pgpool.size(cluster).pods)]


def _access(cluster: Cluster, read: Reader) -> Readiness | None:
    name = access(cluster)[-1]["metadata"]["name"]
    live = read("batch/v1", "Job", cluster.namespace, name)
    status = _status(live)
    if status.get("succeeded"):
        return None
    failed = [entry for entry in status.get("conditions") or [] if entry["type"] == "Failed"]
    if failed:
        return Readiness(ready=False, failed=True, summary=f"Job {name}: {failed[0].get('message') or 'it failed'}")
    return Readiness(ready=False, summary=f"Job {name}: roles and databases are not made yet")


def _address(cluster: Cluster, read: Reader) -> Readiness | None:
    balancer = cluster.network.load_balancer
    if balancer is None:
        return None
    name = f"{cluster.name}-external"
    status = _status(read("v1", "Service", cluster.namespace, name))
    given = [entry.get("ip") for entry in (status.get("loadBalancer") or {}).get("ingress") or []]
    if balancer.address in given:
        return None
    return Readiness(ready=False, summary=f"Service {name} has no address {balancer.address} yet")


def _status(live: Object | None) -> Object:
    return (live or {}).get("status") or {}
