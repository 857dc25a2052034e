"""PgBouncer in front of the primary: one pool for everybody, and one per application on request."""

from collections.abc import Mapping

from pgha.config.model import Cluster, Pooler
from pgha.config.text import dns_label
from pgha.engines.cloudnative_pg.client import BRIEFLY
from pgha.resources.grants import quote
from pgha.resources.metadata import Object, metadata
from pgha.resources.network_policy import allow, clients, ingress_policy

METRICS = 9127
_NAME = "cnpg.io/poolerName"

_SOON = {
    # Seconds before a failed login is tried again: PgBouncer's 15 made a switchover 5 s longer (measured).
    "server_login_retry": "1",
    "server_connect_timeout": "5",
    # A server whose node is gone says nothing more: what it has not answered for 5 s (here in milliseconds) ends, and
    # an idle connection after 5 + 3 x 2 s. Linux alone waits for a quarter of an hour.
    "tcp_user_timeout": "5000",
    "tcp_keepidle": "5",
    "tcp_keepintvl": "2",
    "tcp_keepcnt": "3",
}
"""What keeps a failover's outage short behind a pooler."""

_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}


def objects(cluster: Cluster) -> list[Object]:
    """The Poolers, a budget for each, and the policy that guards them."""
    made = poolers(cluster)
    found = [*made, *(_budget(cluster, pooler["metadata"]["name"]) for pooler in made)]
    if made and cluster.network.network_policy:
        rules = [allow(clients(cluster), 5432)]
        if cluster.monitoring.enabled:
            rules.append(allow([{"namespaceSelector": {}}], METRICS))
        found.append(ingress_policy(cluster, f"{cluster.name}-pooler", pods=dict(pods(cluster)), rules=rules))
    return found


def poolers(cluster: Cluster) -> list[Object]:
    """`NAME-pooler-rw` (the seed's name) and `NAME-pooler-DATABASE` for each of `perApplication`."""
    if cluster.pooler is None:
        return []
    shared = _pooler(cluster, cluster.pooler, f"{cluster.name}-pooler-rw", "all")
    return [
        shared,
        *(
            _pooler(cluster, cluster.pooler, f"{cluster.name}-pooler-{dns_label(database)}", quote(database))
            for database in cluster.pooler.per_application
        ),
    ]


def pods(cluster: Cluster) -> Mapping[str, str]:
    """Labels of the pods of every pooler."""
    return {"cnpg.io/cluster": cluster.name, "cnpg.io/podRole": "pooler"}


def hba(cluster: Cluster, databases: str) -> list[str]:
    """The file's networks by password, then nobody: the server sees a pooler's address, not its client's."""
    line = "hostssl" if cluster.network.tls == "required" else "host"
    method = cluster.network.authentication
    admitted = [f"{line} {databases} all {network} {method}" for network in cluster.network.networks]
    return [*admitted, "host all all 0.0.0.0/0 reject", "host all all ::/0 reject"]


def _pooler(cluster: Cluster, wanted: Pooler, name: str, databases: str) -> Object:
    bouncer: Object = {
        "poolMode": wanted.mode,
        "parameters": {
            "max_client_conn": str(wanted.max_client_connections),
            "default_pool_size": str(wanted.pool_size),
            **_SOON,
        },
        "pg_hba": hba(cluster, databases),
    }
    if wanted.mode == "transaction":
        bouncer["parameters"]["max_prepared_statements"] = "200"  # drivers that prepare would fail without it
    if wanted.image:
        bouncer["image"] = wanted.image
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Pooler",
        "metadata": metadata(cluster, name),
        "spec": {
            "cluster": {"name": cluster.name},
            "instances": wanted.instances,
            "type": "rw",
            "pgbouncer": bouncer,
            "template": {
                "metadata": {"labels": {_NAME: name}},
                # The operator fills in the rest, a restricted security context among it.
                "spec": {
                    "containers": [{"name": "pgbouncer", "resources": _RESOURCES}],
                    "topologySpreadConstraints": [_spread(cluster, name)],
                    "tolerations": [dict(toleration) for toleration in BRIEFLY],
                },
            },
        },
    }


def _spread(cluster: Cluster, name: str) -> Object:
    """As the servers are: strictly, or as well as it goes. A node that is away counts for nothing."""
    strictly = cluster.placement.anti_affinity == "required"
    return {
        "maxSkew": 1,
        "topologyKey": cluster.placement.topology_key,
        "whenUnsatisfiable": "DoNotSchedule" if strictly else "ScheduleAnyway",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {"matchLabels": {_NAME: name}},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _budget(cluster: Cluster, name: str) -> Object:
    """A drain takes one pod at a time; the operator makes no budget for a pooler."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(cluster, name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {_NAME: name}}},
    }
