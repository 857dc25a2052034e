"""Objects by the names that this engine gives them, and the sentences that several rules share."""

from pgha.engines.effects import Case, Condition, Level

CLUSTER = ("Cluster {namespace}/{name}",)
RULES = ("PrometheusRule {namespace}/{name}", "ConfigMap {namespace}/{name}-dashboard")
"""Alerts and panels that count with what the file says of sizes and instances."""
QUORUM = (*CLUSTER, "FailoverQuorum {namespace}/{name}")
PODS = (*CLUSTER, "Pod {namespace}/{name}-*")
VOLUMES = (*PODS, "PersistentVolumeClaim {namespace}/{name}-*", *RULES)
DATABASE = ("Database {namespace}/{name}-{entry}",)
DATABASES = ("Database {namespace}/{name}-*",)
HEARTBEAT = ("Deployment {namespace}/{name}-heartbeat",)
ACCESS = ("Job {namespace}/{name}-access-*",)
ROLE = (*CLUSTER, "Secret {namespace}/{secret}")
POOLER = ("Pooler {namespace}/{name}-pooler-*", "Deployment {namespace}/{name}-pooler-*")
POOLERS = (
    *POOLER,
    "PodDisruptionBudget {namespace}/{name}-pooler-*",
    "NetworkPolicy {namespace}/{name}-pooler",
    "PodMonitor {namespace}/{name}-pooler",
    *RULES,
)
LAN = (*CLUSTER, "Service {namespace}/{name}-external*")
POOL = ("IPAddressPool metallb-system/{pool}", "L2Advertisement metallb-system/{pool}")
POLICY = ("NetworkPolicy {namespace}/{name}", "NetworkPolicy {namespace}/{name}-pooler")
RESTORE = "restore a backup into a new cluster with the wanted value"


def nothing(reason: str, *objects: str, remedy: str = "") -> Case:
    """Servers and clients do not notice."""
    return Case(level=Level.NOTHING, reason=reason, objects=objects, remedy=remedy)


def access(reason: str, *objects: str, remedy: str = "", when: Condition | None = None, said: str = "") -> Case:
    """Who gets in, where and how."""
    return Case(level=Level.ACCESS, reason=reason, objects=objects, remedy=remedy, when=when, said=said)


def reload(reason: str, *objects: str) -> Case:
    """The servers, or what `objects` names, read their configuration again."""
    return Case(level=Level.RELOAD, reason=reason, objects=objects or CLUSTER)


def replaced(what: str) -> Case:
    """Every pod is made anew."""
    return Case(
        level=Level.FAILOVER,
        reason=f"{what}: the operator replaces the standbys' pods one by one, then switches over and replaces the "
        "primary's",
        objects=PODS,
    )
