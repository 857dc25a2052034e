"""Keys that only one of the two engines can honour."""

from collections.abc import Callable

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule

_ABSENT: dict[str, list[tuple[str, Callable[[Cluster], bool], str]]] = {
    "bitnami": [
        (
            "storage.walSize",
            lambda cluster: cluster.storage.wal_size is not None,
            "the chart mounts one volume per instance",
        ),
        (
            "replication.durability",
            lambda cluster: cluster.replication.sets("durability"),
            "repmgr has no such choice: with mode sync writes always wait",
        ),
        (
            "pooler.mode",
            lambda cluster: (
                cluster.pooler is not None and cluster.pooler.sets("mode") and cluster.pooler.mode == "transaction"
            ),
            "Pgpool-II keeps a server connection for a client's whole session",
        ),
        (
            "pooler.perApplication",
            lambda cluster: bool(cluster.pooler and cluster.pooler.per_application),
            "one Pgpool-II serves every database",
        ),
        (
            "backup.objectStore",
            lambda cluster: cluster.backup is not None and cluster.backup.object_store is not None,
            "its backups are dumps on a volume",
        ),
        (
            "recovery",
            lambda cluster: cluster.recovery is not None,
            "its dumps are restored into a running cluster: docs/how-to/restore-a-dump.md",
        ),
        (
            "network.authentication",
            lambda cluster: cluster.network.authentication == "md5",
            "Pgpool-II asks for SCRAM, and so do the servers behind it",
        ),
        (
            "credentials.awsSecretsManager.superuserKey",
            lambda cluster: bool(
                cluster.credentials.aws_secrets_manager and cluster.credentials.aws_secrets_manager.superuser_key
            ),
            "the chart reads the superuser's password from one Secret with all of its own",
        ),
        (
            "network.loadBalancer.readOnlyAddress",
            lambda cluster: bool(cluster.network.load_balancer and cluster.network.load_balancer.read_only_address),
            "no Service of the chart selects only standbys",
        ),
    ],
    "cloudnative-pg": [
        (
            "backup.volume",
            lambda cluster: cluster.backup is not None and cluster.backup.sets("volume"),
            "its backups are physical and go to backup.objectStore",
        ),
        (
            "gitops.chartRepository",
            lambda cluster: cluster.gitops.chart_repository is not None,
            "a cluster is plain objects there, not a chart",
        ),
    ],
}


@rule(
    "PGHA-E231",
    must="be a key that the engine can honour",
    remedy="delete it, or use the other engine",
    source="design: any option works for both engines or is refused with a sentence that says why",
    reads=[
        "engine",
        "storage",
        "replication",
        "pooler",
        "backup",
        "recovery",
        "network.loadBalancer",
        "network.authentication",
        "gitops",
        "users",
        "credentials",
    ],
)
def honoured(cluster: Cluster) -> Findings:
    """A key that is accepted and then ignored is a promise broken in silence."""
    for path, asked, reason in _ABSENT[cluster.engine]:
        if asked(cluster):
            yield finding(path, f"it with engine {cluster.engine}", must=f"not be given ({reason})")
    if cluster.engine == "bitnami":
        for index, user in enumerate(cluster.users):
            if user.authentication == "cert":
                yield finding(
                    f"users[{index}].authentication",
                    "cert with engine bitnami",
                    must="be password (Pgpool-II ends the client's TLS and cannot pass its certificate on)",
                )


@rule(
    "PGHA-E232",
    must="be the engine's own way",
    remedy="delete it to have the engine's way, or use the other engine",
    source="design: two engines, one description; data-model: Backup, backup_type",
    reads=["engine", "backup.method"],
)
def backup_method(cluster: Cluster) -> Findings:
    """The chart has no place for base backups and write-ahead log.

    The operator's own manual calls dumps unsuitable for business continuity.
    """
    own = {"cloudnative-pg": "physical", "bitnami": "pg_dump"}[cluster.engine]
    if cluster.backup and cluster.backup.method not in {None, own}:
        yield finding("backup.method", f"{cluster.backup.method} with engine {cluster.engine}", must=f"be {own}")


@rule(
    "PGHA-E234",
    must="be 16 with the chart's own images",
    remedy='write "16", name your own postgresql-repmgr under postgresql.image, or use the other engine',
    source="plan: Bitnami PostgreSQL HA Helm Chart v12.x; research bitnami-metallb-argocd 1.1, 1.4",
    reads=["engine", "postgresql"],
)
def charts_major(cluster: Cluster) -> Findings:
    """The vendor's last images of other majors belong to other lines of the chart, with other scripts."""
    if cluster.engine == "bitnami" and not cluster.postgresql.image and cluster.postgresql.version != "16":
        yield finding("postgresql.version", cluster.postgresql.version)


@rule(
    "PGHA-E233",
    must="name at least one database",
    remedy="delete the key to have the database app, or name one",
    source="CloudNativePG: bootstrap.initdb makes the first database",
    reads=["engine", "databases"],
)
def first_database(cluster: Cluster) -> Findings:
    """The operator creates a cluster together with its first database and that database's owner."""
    if cluster.engine == "cloudnative-pg" and not cluster.databases:
        yield finding("databases", cluster.databases)
