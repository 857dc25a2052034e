"""PgBouncer in front of the primary: one pool for everybody, and one per application on request."""

from pgha.config.model import Cluster, Pooler
from pgha.config.text import dns_label
from pgha.resources.metadata import Object, metadata


def poolers(cluster: Cluster) -> list[Object]:
    """`NAME-pooler-rw` (the seed's name) and `NAME-pooler-DATABASE` for each of `perApplication`."""
    if cluster.pooler is None:
        return []
    names = ["rw", *(dns_label(database) for database in cluster.pooler.per_application)]
    return [_pooler(cluster, cluster.pooler, f"{cluster.name}-pooler-{name}") for name in names]


def _pooler(cluster: Cluster, wanted: Pooler, name: str) -> Object:
    bouncer: Object = {
        "poolMode": wanted.mode,
        "parameters": {
            "max_client_conn": str(wanted.max_client_connections),
            "default_pool_size": str(wanted.pool_size),
            # Seconds before a failed login is tried again: PgBouncer's 15 made a switchover 5 s longer
            # (measured).
            "server_login_retry": "1",
        },
    }
    if wanted.mode == "transaction":
        bouncer["parameters"]["max_prepared_statements"] = "200"  # drivers that prepare would fail without it
    if wanted.image:
        bouncer["image"] = wanted.image
    spread: Object = {
        "maxSkew": 1,
        "topologyKey": cluster.placement.topology_key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"cnpg.io/poolerName": name}},
    }
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
                "metadata": {"labels": {"cnpg.io/poolerName": name}},
                # The container must be named; everything else about it is the operator's.
                "spec": {"containers": [{"name": "pgbouncer"}], "topologySpreadConstraints": [spread]},
            },
        },
    }
