"""How many servers there are, and what a write waits for."""

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule


@rule(
    "PGHA-E201",
    must="be at least 2",
    remedy="write 3, or 2 if there are only two nodes",
    source="data-model: PostgreSQL Cluster, instance_count must be >= 2; Minimum Instances",
    reads=["instances"],
)
def instances(cluster: Cluster) -> Findings:
    """A single server has nothing to fail over to."""
    if cluster.instances < 2:
        yield finding("instances", cluster.instances)


@rule(
    "PGHA-W202",
    must="be an odd number for bitnami, 3 or more",
    remedy="write 3, or use engine cloudnative-pg: with two, the chart's defaults left two primaries in 3 faults of 3",
    source="research bitnami-lab: runs 1 to 5; chart postgresql-ha 12.8.2, values.yaml, replicaCount",
    reads=["instances", "engine"],
)
def quorum(cluster: Cluster) -> Findings:
    """Repmgr promotes by majority.

    With two servers, or two equal halves, a standby that loses sight of the primary promotes itself while the old
    primary goes on: measured with the chart's defaults, three runs of three ended with two primaries, and one lost
    3,456 of 3,982 acknowledged writes.
    """
    if cluster.engine == "bitnami" and cluster.instances >= 2 and cluster.instances % 2 == 0:
        yield finding("instances", cluster.instances)


@rule(
    "PGHA-E203",
    must="be less than the number of instances",
    remedy="ask for fewer confirmations, or add instances",
    source="CloudNativePG webhook: synchronous.number; reliability: bad input 15",
    reads=["instances", "replication"],
)
def too_many_confirmations(cluster: Cluster) -> Findings:
    """Only standbys confirm, and there is one less of them than instances: every write would wait for ever."""
    wanted = cluster.replication.synchronous_standbys
    if cluster.replication.mode == "sync" and wanted > cluster.standbys >= 1:
        yield finding("replication.synchronousStandbys", wanted, must=f"be at most {cluster.standbys}")


@rule(
    "PGHA-W204",
    must="leave a standby to spare",
    remedy="add an instance, or write durability: preferred, which falls back to async",
    source="reliability: bad input 14; PostgreSQL: synchronous_standby_names",
    reads=["instances", "replication"],
)
def no_spare_standby(cluster: Cluster) -> Findings:
    """When as many standbys must confirm as there are, the outage of any one blocks every write until it is back.

    statement_timeout does not end that wait.
    """
    replication = cluster.replication
    blocked = replication.mode == "sync" and replication.durability == "required"
    if blocked and replication.synchronous_standbys == cluster.standbys:
        yield finding("replication.synchronousStandbys", f"{replication.synchronous_standbys} of {cluster.standbys}")


@rule(
    "PGHA-W205",
    must="not be relied on with bitnami",
    remedy="use engine cloudnative-pg for synchronous replication",
    source="bitnami/charts issue 30848; research bitnami-metallb-argocd 2.4",
    reads=["engine", "replication.mode"],
)
def sync_with_repmgr(cluster: Cluster) -> Findings:
    """The image writes the setting at the first start of the first primary only, and loses it with a failover.

    The engine's own Job sets it on every server; nobody has seen yet that it lasts.
    """
    if cluster.engine == "bitnami" and cluster.replication.mode == "sync":
        yield finding("replication.mode", cluster.replication.mode)


@rule(
    "PGHA-W206",
    must="stand only beside mode: sync",
    remedy="write mode: sync, or delete the key",
    source="pgha",
    reads=["replication"],
)
def confirmation_without_sync(cluster: Cluster) -> Findings:
    """With asynchronous replication nothing waits for a standby, so the key does nothing."""
    if cluster.replication.mode == "async":
        for field, key in (("synchronous_standbys", "synchronousStandbys"), ("durability", "durability")):
            if cluster.replication.sets(field):
                yield finding(f"replication.{key}", getattr(cluster.replication, field))
