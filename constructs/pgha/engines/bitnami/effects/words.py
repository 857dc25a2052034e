"""Objects by the names that this engine gives them, and the sentences that several rules share."""

from pgha.engines.effects import Case, Level

SERVERS = ("StatefulSet {namespace}/{name}-postgresql*", "Pod {namespace}/{name}-postgresql-*")
CLAIMS = (SERVERS[0], "PersistentVolumeClaim {namespace}/data-{name}-postgresql-*")
PGPOOL = ("Deployment {namespace}/{name}-pgpool", "Pod {namespace}/{name}-pgpool-*")
FILES = ("ConfigMap {namespace}/{name}-servers",)
JOB = ("ConfigMap {namespace}/{name}-access", "Job {namespace}/{name}-access-*")
SERVICE = ("Service {namespace}/{name}-external",)
POOL = ("IPAddressPool metallb-system/{pool}", "L2Advertisement metallb-system/{pool}")
POLICY = ("NetworkPolicy {namespace}/{name}-*",)
CERTIFICATE = ("Certificate {namespace}/{name}-*", "Issuer {namespace}/{name}-*")
DUMPS = ("CronJob {namespace}/{name}-backup",)
DUMP_FILES = ("ConfigMap {namespace}/{name}-backup",)
DUMP_CLAIM = ("PersistentVolumeClaim {namespace}/{name}-backup", "PersistentVolume {namespace}-{name}-*")
WATCH = ("PrometheusRule {namespace}/{name}", "ConfigMap {namespace}/{name}-dashboard")
EXTERNAL = ("ExternalSecret {namespace}/*", "Secret {namespace}/{name}-*")
SECRET = ("Secret {namespace}/{secret}",)
RESTORE = "dump the databases and restore them into a new cluster with the wanted value"
FALLING = (
    "max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions or max_locks_per_transaction "
    "falls"
)
DEFAULTS = {"max_wal_senders": "16", "max_replication_slots": "10"}
"""What the image sets where the file does not (`librepmgr.sh`), of what standbys must not have less of."""


def replaced(what: str, *objects: str) -> Case:
    """Every pod of the servers is made anew."""
    return Case(
        level=Level.FAILOVER,
        reason=f"{what}: the StatefulSet replaces its pods one by one; at the primary's turn repmgr promotes a "
        "standby, and Pgpool-II has to find it",
        objects=(*SERVERS, *objects),
    )


def pgpool(what: str, *objects: str) -> Case:
    """Every pod of Pgpool-II is made anew."""
    return Case(
        level=Level.RESTART,
        reason=f"{what}: Pgpool-II's pods are replaced, and the sessions through them end",
        objects=(*PGPOOL, *objects),
    )


def job(reason: str, *objects: str, level: Level = Level.ACCESS) -> Case:
    """Statements are run on the primary."""
    return Case(level=level, reason=f"a Job on the primary {reason}; no server restarts", objects=(*JOB, *objects))


def access(reason: str, *objects: str) -> Case:
    """Who gets in, where and how."""
    return Case(level=Level.ACCESS, reason=reason, objects=objects)


def nothing(reason: str, *objects: str) -> Case:
    """Servers and clients do not notice."""
    return Case(level=Level.NOTHING, reason=reason, objects=objects)
