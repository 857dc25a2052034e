"""The engine cloudnative-pg: the operator's own resources, as plain objects.

Facts about the operator are from its source at v1.30 (API `postgresql.cnpg.io/v1`); the values are the seed
postgresql-cluster-service's wherever it has one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pgha.config.model import Cluster
from pgha.engines.base import Endpoint, Reader, Readiness, Release, Requirement, Shell, Traits
from pgha.engines.cloudnative_pg import access, backup, heartbeat, monitors, pooler, readiness, roles, secrets, services
from pgha.engines.cloudnative_pg.catalogue import PhysicalBackups
from pgha.engines.cloudnative_pg.cluster import API_VERSION, asks_quorum, cluster_object, databases, failover_quorum
from pgha.engines.cloudnative_pg.images import image
from pgha.engines.cloudnative_pg.traits import TRAITS
from pgha.resources import external_secrets
from pgha.resources.address_pool import address_pool
from pgha.resources.credentials import GeneratedSecret
from pgha.resources.metadata import Object
from pgha.resources.namespace import namespace
from pgha.resources.network_policy import allow, clients, ingress_policy

_OPERATOR = "the CloudNativePG operator (stack platform)"
_BARMAN = "the Barman Cloud plugin (docs/how-to/back-up-and-restore.md)"
_METALLB = "MetalLB (stack platform)"
_PROMETHEUS = "the Prometheus operator; or set monitoring.enabled: false"


class CloudNativePG:
    """PostgreSQL run by the CloudNativePG operator."""

    name = "cloudnative-pg"
    backups = PhysicalBackups()

    def secrets(self, cluster: Cluster) -> Sequence[GeneratedSecret]:
        """One basic-auth Secret per user, and the superuser's where the file opens it to the network."""
        return secrets.generated(cluster)

    def objects(self, cluster: Cluster) -> Sequence[Object]:
        """Namespace, address pool, policies, object stores, Cluster, Databases, Poolers, backups, monitors."""
        pods = self.pods(cluster)
        objects = [namespace(cluster), *address_pool(cluster)]
        if cluster.network.network_policy:
            objects.append(ingress_policy(cluster, cluster.name, pods=dict(pods), rules=_ingress(cluster)))
        objects += secrets.external(cluster)
        objects += [*backup.stores(cluster), *failover_quorum(cluster), cluster_object(cluster)]
        objects += [*roles.objects(cluster), *databases(cluster)]
        objects += pooler.objects(cluster)
        objects += [*heartbeat.objects(cluster), *access.jobs(cluster)]
        return [*objects, *backup.schedule(cluster), *monitors.objects(cluster, dict(pods))]

    def release(self, cluster: Cluster) -> Release | None:  # noqa: ARG002  # the protocol's
        """None: the operator reads resources, and its own chart is the platform's."""
        return None

    def traits(self, obj: Object) -> Traits:
        """What the operator writes into an object, and when it is done with it."""
        return TRAITS.get(obj["kind"], Traits())

    def endpoints(self, cluster: Cluster) -> Sequence[Endpoint]:
        """Inside: the operator's own Services and the poolers'; outside: the LoadBalancer addresses."""
        return services.endpoints(cluster, [obj["metadata"]["name"] for obj in pooler.poolers(cluster)])

    def requirements(self, cluster: Cluster) -> Sequence[Requirement]:
        """The operator always; MetalLB and the Prometheus operator where the file uses them."""
        kinds = [
            "Cluster",
            "Database",
            "DatabaseRole",
            *(["FailoverQuorum"] if asks_quorum(cluster) else []),
            *(["Pooler"] if cluster.pooler else []),
            *(["ScheduledBackup"] if cluster.backup else []),
        ]
        needed = [Requirement(api_version=API_VERSION, kind=kind, brought_by=_OPERATOR) for kind in kinds]
        if backup.stores(cluster):
            needed.append(Requirement(api_version=backup.STORE_VERSION, kind="ObjectStore", brought_by=_BARMAN))
        needed += [
            Requirement(api_version=obj["apiVersion"], kind=obj["kind"], brought_by=_METALLB)
            for obj in address_pool(cluster)
        ]
        needed += [
            Requirement(api_version=external_secrets.API_VERSION, kind=kind, brought_by=external_secrets.BROUGHT_BY)
            for kind in sorted({obj["kind"] for obj in secrets.external(cluster)})
        ]
        monitoring = ("PodMonitor", "PrometheusRule") if cluster.monitoring.enabled else ()
        return needed + [
            Requirement(api_version="monitoring.coreos.com/v1", kind=kind, brought_by=_PROMETHEUS)
            for kind in monitoring
        ]

    def readiness(self, cluster: Cluster, read: Reader) -> Readiness:
        """All instances, roles and databases are there, and every LoadBalancer Service has its address."""
        return readiness.judge(cluster, read)

    def pods(self, cluster: Cluster) -> Mapping[str, str]:
        """The instances, without poolers and jobs."""
        return {"cnpg.io/cluster": cluster.name, "cnpg.io/podRole": "instance"}

    def instances(self, cluster: Cluster) -> Mapping[str, str]:
        """The same."""
        return self.pods(cluster)

    def shell(self, cluster: Cluster) -> Shell:  # noqa: ARG002  # the protocol's
        """The operator's pg_hba lets the system user postgres in as the superuser, on the socket alone."""
        return Shell(container="postgres", psql=("psql", "-U", "postgres"))

    def primary(self, cluster: Cluster, read: Reader) -> str | None:
        """Whom the operator's status names."""
        live = read(API_VERSION, "Cluster", cluster.namespace, cluster.name) or {}
        return (live.get("status") or {}).get("currentPrimary")

    def switchover(self, cluster: Cluster, to: str, now: datetime) -> tuple[Object, Object]:
        """As the operator's own `kubectl cnpg promote` asks for it (internal/cmd/plugin/promote)."""
        change = {
            "targetPrimary": to,
            "targetPrimaryTimestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "phase": "Switchover in progress",
            "phaseReason": f"Switching over to {to}",
        }
        return {
            "apiVersion": API_VERSION,
            "kind": "Cluster",
            "metadata": {"name": cluster.name, "namespace": cluster.namespace},
        }, change

    def client_image(self, cluster: Cluster) -> str:
        """The server's own image: it is on every node already."""
        return image(cluster)


def _ingress(cluster: Cluster) -> list[Object]:
    """5432 for clients; that and 8000 (status) for our own namespace and the operator; 9187 for metrics.

    The kubelet's probes come from the node and are always let through. With externalTrafficPolicy Cluster a
    LAN client arrives with a node's address, so the nodes must lie in `network.networks` (for pg_hba too).
    """
    own: Object = {"podSelector": {}}
    operator: Object = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
    }
    rules = [allow(clients(cluster), 5432), allow([own, operator], 5432, 8000)]
    if cluster.monitoring.enabled:
        rules.append(allow([{"namespaceSelector": {}}], 9187))
    return rules
