"""Pgpool-II: how many clients it lets in, how it follows the primary, and whom it lets in."""

from dataclasses import dataclass

from pgha.config.model import Cluster
from pgha.config.parameters import parameters
from pgha.config.pgpool import pgpool
from pgha.engines.bitnami import chart
from pgha.engines.bitnami.access import variable
from pgha.resources.metadata import CHECKSUM, REVISION, Object, checksum
from pgha.resources.pods import secret_variable

FOLDER = "/pgha"

RESERVED = 13
"""Of max_connections: 3 for superusers, 10 for repmgr, the exporter, probes and the backup."""

_IDLE_SECONDS = 60
"""A server connection without a client is closed after this, so that the number of connections tells of clients."""

HEALTH_CHECK = {"period": 5, "timeout": 3, "max_retries": 3, "retry_delay": 2}
"""Seconds. A server that restarts in place (2 s measured) is not given up; a dead one is, within 11 to 23 s."""

_SEARCH_SECONDS = 10
"""The image has 0, for ever: Pgpool-II then answers nobody while it waits for a primary that came back where it had
been given up (measured: blocked for 34 s and more, and again after its restart).
"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Clients of one pod are `children` less the reserved one."""

    pods: int
    children: int
    pool: int
    max_connections: int

    @property
    def clients(self) -> int:
        """Clients of all pods together."""
        return self.pods * (self.children - 1)


def size(cluster: Cluster) -> Size:
    """The file's numbers, or ours; where it leaves max_connections out, room for all of them and the reserved ones."""
    pods, children, pool = pgpool(cluster.pooler)
    given = _max_connections(cluster)
    needed = pods * children * pool + RESERVED
    return Size(pods=pods, children=children, pool=pool, max_connections=given or max(100, -(-needed // 10) * 10))


def configuration(cluster: Cluster) -> str:
    """What is appended to the image's pgpool.conf, where the last word wins."""
    settings: dict[str, str | int] = {f"health_check_{key}": value for key, value in HEALTH_CHECK.items()}
    settings |= {
        "sr_check_period": 5,
        "connect_timeout": 3000,
        # Clients' errors and a server's farewell are no proof of its death: the health check decides, with retries.
        "failover_on_backend_error": "off",
        "failover_on_backend_shutdown": "off",
        "search_primary_node_timeout": _SEARCH_SECONDS,
        # Of two primaries the one that no standby follows is left; with two nodes it would be the higher number.
        "detach_false_primary": "on" if cluster.instances > 2 else "off",
    }
    return "\n".join(f"{key} = '{value}'" for key, value in settings.items()) + "\n"


def pool_hba(cluster: Cluster) -> str:
    """Networks by password, then nobody. It replaces the image's own, which trusts the superuser repmgr."""
    host = "hostssl" if cluster.network.tls == "required" else "host"
    inner = [chart.REPMGR, chart.MONITOR, chart.BACKUP]
    if not cluster.credentials.superuser_access:
        inner.append(chart.SUPERUSER)
    lines = [
        "# The socket is inside the pod: the probes of this pod use it.",
        f"local all {chart.MONITOR} trust",
        "local all all reject",
        *(f"host all {name} all reject" for name in inner),
        *(f"{host} all all {network} scram-sha-256" for network in cluster.network.networks),
        "host all all all reject",
    ]
    return "\n".join(lines) + "\n"


def values(cluster: Cluster) -> Object:
    """The chart's `pgpool`."""
    wanted = size(cluster)
    found: Object = {
        "image": chart.image_values(chart.pgpool_image(cluster)),
        "existingSecret": chart.credentials(cluster),
        "replicaCount": wanted.pods,
        "pdb": {"create": wanted.pods > 1, "minAvailable": 1},
        # Passwords and files are read when a pod starts.
        "podAnnotations": {
            CHECKSUM: checksum(configuration(cluster), pool_hba(cluster)),
            REVISION: str(cluster.credentials.revision),
        },
        "authenticationMethod": "scram-sha-256",
        "logHostname": False,
        "numInitChildren": wanted.children,
        "reservedConnections": 1,
        "maxPool": wanted.pool,
        "connectionLifeTime": _IDLE_SECONDS,
        # A read that follows a write sees it.
        "useLoadBalancing": False,
        "configuration": configuration(cluster),
        "extraEnvVars": _environment(cluster),
        "extraVolumes": [
            {"name": "pgha", "configMap": {"name": f"{cluster.name}-servers", "defaultMode": 0o555}},
        ],
        "extraVolumeMounts": [{"name": "pgha", "mountPath": FOLDER, "readOnly": True}],
        "customReadinessProbe": _probe("ready", period=5, timeout=5, failures=2),
        "customLivenessProbe": {"initialDelaySeconds": 30} | _probe("live", period=10, timeout=10, failures=3),
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            # A process per client.
            "limits": {"cpu": "1", "memory": f"{256 + 8 * wanted.children}Mi"},
        },
    }
    if cluster.placement.node_selector:
        found["nodeSelector"] = dict(cluster.placement.node_selector)
    if cluster.network.tls == "required":
        found["tls"] = chart.tls(cluster)
        found["podSecurityContext"] = {"runAsUser": 1001, "runAsGroup": 1001}
    return found


def _environment(cluster: Cluster) -> list[Object]:
    """The users of the password file, each password from its own Secret: there is no second copy to grow stale."""
    secrets = [(user.name, cluster.secret_name(user), "password") for user in cluster.users]
    if cluster.credentials.superuser_access:
        secrets.append((chart.SUPERUSER, chart.credentials(cluster), "postgres-password"))
    names = [variable(index) for index in range(len(secrets))]
    found = [secret_variable(name, secret, key) for name, (_, secret, key) in zip(names, secrets, strict=True)]
    found.append({"name": "PGPOOL_USER_HBA_FILE", "value": f"{FOLDER}/pool_hba.conf"})
    if secrets:
        found += [
            {"name": "PGPOOL_POSTGRES_CUSTOM_USERS", "value": ";".join(user for user, _, _ in secrets)},
            # Kubernetes puts the variables above in place of their names.
            {"name": "PGPOOL_POSTGRES_CUSTOM_PASSWORDS", "value": ";".join(f"$({name})" for name in names)},
        ]
    return found


def _probe(kind: str, *, period: int, timeout: int, failures: int) -> Object:
    return {
        "exec": {"command": [f"{FOLDER}/pgpool-probe.sh", kind]},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _max_connections(cluster: Cluster) -> int | None:
    text = cluster.postgresql.settings.get("max_connections")
    facts = parameters(cluster.postgresql.version).get("max_connections")
    amount = facts.amount(text) if facts and text else None
    return None if amount is None else int(amount)
