"""The Cluster resource and its Databases."""

from pgha.config.model import Cluster, User
from pgha.config.text import dns_label
from pgha.engines.cloudnative_pg import access, backup, extensions, heartbeat, roles
from pgha.engines.cloudnative_pg.images import image
from pgha.engines.cloudnative_pg.secrets import superuser_secret
from pgha.engines.cloudnative_pg.services import managed_services
from pgha.resources.metadata import Object, metadata
from pgha.resources.pods import per_instance, toleration

API_VERSION = "postgresql.cnpg.io/v1"

_SMART_SHUTDOWN_SECONDS = 0
"""How long clients may finish before they are cut. New ones are refused from the first second and idle ones never
finish, so waiting only adds to the outage: with the operator's 180 a restart of the primary hung for 160 s (two poolers
connected), and a pod deleted by force died before it could hand over its lease, which cost 16 s (both measured).
"""

_PRIMARY_LEASE = {"leaseDurationSeconds": 3, "renewDeadlineSeconds": 2, "retryPeriodSeconds": 1}
"""A new primary waits so long after the last word of one that died without a word; the operator's 15, 10 and 2 are most
of an outage. Only the instance that the operator has chosen competes for the lease, so a late renewal costs nothing.
"""

_STARTUP_PROBE = {"periodSeconds": 1}
"""How often a server that starts is asked whether it is up. The operator's 10 s kept a primary that was restarted in
its place out of its Service for as long, though it had been up after one (measured). How long a start may take in all
stays the operator's hour: it divides that by this period (`getFailureThreshold` in pkg/specs/pods.go).
"""

_RECONNECT = {"wal_retrieve_retry_interval": "500ms"}
"""How soon a standby looks for the primary again, once to find it and once to follow its new timeline. With
PostgreSQL's 5 s a synchronous commit waited for both (measured). The file's own value wins.
"""

_SWITCHOVER_SECONDS = 60
"""How long an old primary may take to stop cleanly in a switchover; the operator's default is an hour of no
writes.
"""


def cluster_object(cluster: Cluster) -> Object:
    """The Cluster. It owns its volumes: deleting it deletes the data, unless the storage class retains it."""
    spec: Object = {
        "instances": cluster.instances,
        "imageName": image(cluster),
        "primaryUpdateMethod": "switchover",
        "switchoverDelay": _SWITCHOVER_SECONDS,
        "smartShutdownTimeout": _SMART_SHUTDOWN_SECONDS,
        "primaryLease": dict(_PRIMARY_LEASE),
        "probes": {"startup": dict(_STARTUP_PROBE)},
        "enablePDB": True,
        "enableSuperuserAccess": cluster.credentials.superuser_access,
        "bootstrap": _bootstrap(cluster),
        "managed": _managed(cluster),
        "postgresql": _postgresql(cluster),
        "storage": {"size": cluster.storage.size, "storageClass": cluster.storage.storage_class},
        "resources": per_instance(cluster),
        "affinity": _affinity(cluster),
        **backup.cluster_parts(cluster),
    }
    if cluster.credentials.superuser_access:
        spec["superuserSecret"] = {"name": superuser_secret(cluster)}
    if selectors := access.selectors(cluster):
        spec["podSelectorRefs"] = selectors
    if cluster.storage.wal_size:
        spec["walStorage"] = {"size": cluster.storage.wal_size, "storageClass": cluster.storage.storage_class}
    balancer = cluster.network.load_balancer
    if balancer is not None and balancer.hostname:
        spec["certificates"] = {"serverAltDNSNames": [balancer.hostname]}
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": metadata(cluster, cluster.name),
        "spec": spec,
    }


def failover_quorum(cluster: Cluster) -> list[Object]:
    """The object in which the primary records who must hold every acknowledged write.

    The operator makes it too, but in a cluster that becomes synchronous often too late: without it the primary's
    instance manager installs the new configuration, fails before the reload and does not try again (1.30.0, resetting
    in internal/management/controller/instance_sync.go). The server stays asynchronous, and nobody is ever promoted.
    """
    if not asks_quorum(cluster):
        return []
    return [{"apiVersion": API_VERSION, "kind": "FailoverQuorum", "metadata": metadata(cluster, cluster.name)}]


def asks_quorum(cluster: Cluster) -> bool:
    """Whether only a standby that must have every acknowledged write is promoted.

    It means nothing where writes may fall back to no standby at all.
    """
    return cluster.replication.mode == "sync" and cluster.replication.durability == "required"


def databases(cluster: Cluster) -> list[Object]:
    """A Database resource for every database; the first is there already, and only looked after.

    Deleting one keeps its data.
    """
    made = [{"name": name, "ensure": "present"} for name in extensions.extensions(cluster)]
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "Database",
            "metadata": metadata(cluster, f"{cluster.name}-{dns_label(database.name)}"),
            "spec": {
                "cluster": {"name": cluster.name},
                "name": database.name,
                "owner": database.owner,
                "encoding": database.encoding,
                "localeCollate": database.collation,
                "localeCType": database.collation,
                "template": "template0",  # the only one that may differ in locale from the rest
                "databaseReclaimPolicy": "retain",
                **({"extensions": made} if made else {}),
            },
        }
        for database in cluster.databases
    ]


def pg_hba(cluster: Cluster) -> list[str]:
    """The listed networks, by certificate or password, then nobody.

    Without the last line the operator's own `host all all all` would let everybody in.

    The operator's rules for local access, replication and poolers come before these and need no network of
    ours.
    """
    line = "hostssl" if cluster.network.tls == "required" else "host"
    admitted = [f"{line} all all {network} {cluster.network.authentication}" for network in cluster.network.networks]
    return [heartbeat.hba(), *access.hba(cluster), *roles.hba(cluster), *admitted, "host all all all reject"]


def _bootstrap(cluster: Cluster) -> Object:
    """Where the data of a new cluster come from; the operator reads it only then."""
    first = cluster.databases[0]
    application = {
        "database": first.name,
        "owner": first.owner,
        "secret": {"name": cluster.secret_name(_user(cluster, first.owner))},
    }
    recovery = backup.recovery(cluster)
    return {"initdb": application | _initdb(cluster)} if recovery is None else {"recovery": application | recovery}


def _initdb(cluster: Cluster) -> Object:
    first = cluster.databases[0]
    initdb: Object = {
        "dataChecksums": True,
        "encoding": first.encoding,
        "localeCollate": first.collation,
        "localeCType": first.collation,
    }
    if statements := heartbeat.first_statements(cluster):
        initdb["postInitSQL"] = statements
    return initdb


def _managed(cluster: Cluster) -> Object:
    managed: Object = {"roles": roles.by_password(cluster)}
    additional = managed_services(cluster)
    if additional:
        managed["services"] = {"additional": additional}
    return managed


def _postgresql(cluster: Cluster) -> Object:
    postgresql: Object = {"pg_hba": pg_hba(cluster), "parameters": _RECONNECT | extensions.parameters(cluster)}
    if cluster.replication.mode == "sync":
        postgresql["synchronous"] = {
            "method": "any",
            "number": cluster.replication.synchronous_standbys,
            "dataDurability": cluster.replication.durability,
            "failoverQuorum": asks_quorum(cluster),
        }
    return postgresql


_SILENCE = toleration("unreachable", 0)
"""A server's pod is deleted as soon as its node counts as dead, not 300 s later. Nobody on that node can carry it out,
but the operator does not ask a pod that is being deleted; else it waits for its answers, 2 to 30 s each, between the
steps of a failover (docs/adr/0052).
"""


def _affinity(cluster: Cluster) -> Object:
    affinity: Object = {
        "enablePodAntiAffinity": True,
        "podAntiAffinityType": cluster.placement.anti_affinity,
        "topologyKey": cluster.placement.topology_key,
        "tolerations": [_SILENCE],
    }
    if cluster.placement.node_selector:
        affinity["nodeSelector"] = dict(cluster.placement.node_selector)
    return affinity


def _user(cluster: Cluster, name: str) -> User:
    """The user of that name; that every owner is one is a rule of the cluster file."""
    return next(user for user in cluster.users if user.name == name)
