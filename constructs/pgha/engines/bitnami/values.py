"""The values of chart postgresql-ha 12.8.2 for one cluster: complete, and only what differs from its defaults.

The chart has no schema: a mistyped key is ignored in silence. tests/unit/engines/test_bitnami_chart.py renders it.
"""

from pgha.config.model import Cluster
from pgha.engines.bitnami import chart, metrics, pgpool
from pgha.engines.bitnami.access import script
from pgha.resources.argocd import KEEP
from pgha.resources.metadata import CHECKSUM, Object, checksum
from pgha.resources.pods import RESTRICTED_CONTAINER, RESTRICTED_POD, per_instance, small

MONITOR_INTERVAL, CONNECT_TIMEOUT, RECONNECT_ATTEMPTS, RECONNECT_INTERVAL = 2, 3, 3, 2
"""Seconds. repmgr looks every 2 s (its default) and asks a silent primary three times: 6 s where connections are
refused, 17 s where packets vanish. A primary that restarts in place is back before that.
"""

DECISION_SECONDS = 30
"""How long a server that was the primary waits at its start for a new one: longer than a promotion takes, 17 s and a
moment. Without it a restart that took 20 s ended with two primaries (docs/adr/0006).
"""

STOP_SECONDS = 120
"""How long a pod may take to stop: the chart's own farewell waits up to 50 s for the new primary after PostgreSQL has
stopped, and at least 25 s; Kubernetes' 30 s would end it in between.
"""

_CLONE_SECONDS = 3600
"""How long a standby may take to copy the primary before its first answer; the chart's liveness probe alone would
end it after 90 s, and it would begin again, for ever.
"""

_IMAGES_OWN = [f"/opt/bitnami/scripts/postgresql-repmgr/{name}.sh" for name in ("entrypoint", "run")]
"""Entrypoint and command of the image, which a command of ours replaces."""

_VOLUME = "/bitnami/postgresql"
"""Where the chart mounts a server's volume, by default and here."""

_KEEP = KEEP | {"helm.sh/resource-policy": "keep"}


def values(cluster: Cluster) -> Object:
    """Everything that Helm is given."""
    found: Object = {
        "fullnameOverride": cluster.name,
        "clusterDomain": cluster.network.cluster_domain,
        "postgresql": _postgresql(cluster),
        "pgpool": pgpool.values(cluster),
        "persistence": {
            "size": cluster.storage.size,
            "storageClass": cluster.storage.storage_class,
            "annotations": dict(_KEEP),
        },
        # Retain, in both cases: the chart's default once this is on.
        "persistentVolumeClaimRetentionPolicy": {"enabled": True},
    }
    if chart.has_witness(cluster):
        found["witness"] = _witness(cluster)
    if cluster.monitoring.enabled:
        found["metrics"] = _metrics(cluster)
    if cluster.network.tls == "required":
        found["volumePermissions"] = {
            "image": chart.image_values(chart.SHELL_IMAGE),
            # Copies the certificate as the pod's own user; the chart's default is root.
            "podSecurityContext": {
                "runAsUser": "auto",
                "runAsGroup": 1001,
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    return found


def _postgresql(cluster: Cluster) -> Object:
    lag = cluster.monitoring.alerts.replication_lag_warning_seconds
    found = _server(cluster) | {
        "replicaCount": cluster.instances,
        "username": chart.MONITOR,
        "database": chart.SUPERUSER,  # the database postgres, not one of the file's
        "existingSecret": chart.credentials(cluster),
        "sharedPreloadLibraries": "pgaudit, repmgr" if cluster.postgresql.audit else "repmgr",
        # Without it a primary that restarts cannot see the new one, nor be seen: with the chart's default three
        # faults of three ended with two primaries (docs/adr/0006).
        "headlessWithNotReadyAddresses": True,
        # Fencing stops a primary that has lost its standbys; with one standby that is an outage for every fault.
        "repmgrFenceOldPrimary": False,
        "syncReplication": False,  # written on the first primary only; the access job writes it everywhere
        "usePgRewind": False,
        "pdb": {"create": True, "minAvailable": cluster.instances - 1 + int(chart.has_witness(cluster))},
        "extendedConf": _extended_conf(cluster),
        # The chart's templates carry no checksum: without one a changed file would reach no running server.
        "podAnnotations": {CHECKSUM: checksum(_extended_conf(cluster), script("postgresql-start.sh"))},
        "command": [f"{pgpool.FOLDER}/postgresql-start.sh", str(DECISION_SECONDS), *_IMAGES_OWN],
        "extraVolumes": [
            {"name": "pgha", "configMap": {"name": f"{cluster.name}-servers", "defaultMode": 0o555}},
        ],
        "extraVolumeMounts": [{"name": "pgha", "mountPath": pgpool.FOLDER, "readOnly": True}],
        "initContainers": [_folders(cluster)],
        "customLivenessProbe": {
            "exec": {"command": [f"{pgpool.FOLDER}/postgresql-live.sh"]},
            "periodSeconds": 5,
            "timeoutSeconds": 15,  # 2 s for each server that is away
            "failureThreshold": 3,
        },
        "customReadinessProbe": {
            "exec": {"command": [f"{pgpool.FOLDER}/postgresql-ready.sh", str(lag)]},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": per_instance(cluster),
    }
    if cluster.postgresql.audit:
        found["audit"] = found["audit"] | {"pgAuditLog": "ddl,role,write"}
    if cluster.network.tls == "required":
        found["tls"] = chart.tls(cluster)
    return found


def _folders(cluster: Cluster) -> Object:
    """Makes the folder in the volume that extendedConf is mounted below, before the container runtime does.

    It would make it as root, and the image's scripts, which write postgresql.conf there, would not be able to: the
    server never starts (measured; the chart's own remedy is a container that runs as root).
    """
    user = {key: RESTRICTED_POD[key] for key in ("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile")}
    return {
        "name": "folders",
        "image": chart.image(cluster),
        "command": ["mkdir", "-p", f"{_VOLUME}/conf"],
        "resources": small(),
        "securityContext": RESTRICTED_CONTAINER | user,
        "volumeMounts": [{"name": "data", "mountPath": _VOLUME}],
    }


def _witness(cluster: Cluster) -> Object:
    """A voter without data: a standby that sees neither it nor the primary does not promote itself."""
    wanted = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}
    return {"create": True} | _server(cluster, image=False) | {"resources": wanted}


def _server(cluster: Cluster, *, image: bool = True) -> Object:
    """What data nodes and witness have in common; the witness runs the data nodes' image."""
    found: Object = {"image": chart.image_values(chart.image(cluster))} if image else {}
    found |= _placement(cluster)
    return found | {
        "terminationGracePeriodSeconds": STOP_SECONDS,
        # A large volume is not walked through at every start.
        "podSecurityContext": {"runAsUser": 1001, "runAsGroup": 1001, "fsGroupChangePolicy": "OnRootMismatch"},
        # A reverse lookup for every connection: without reverse DNS 4 s each, and the standby never gets ready.
        "audit": {"logHostname": False},
        "repmgrConnectTimeout": CONNECT_TIMEOUT,
        "repmgrReconnectAttempts": RECONNECT_ATTEMPTS,
        "repmgrReconnectInterval": RECONNECT_INTERVAL,
        "customStartupProbe": _is_ready() | {"periodSeconds": 5, "failureThreshold": _CLONE_SECONDS // 5},
        # 1 is a server that refuses for now: it starts, stops or recovers, and killing it would begin that anew.
        "customLivenessProbe": _is_ready(" || [ $? -eq 1 ]") | {"periodSeconds": 10, "failureThreshold": 3},
    }


def _is_ready(otherwise: str = "") -> Object:
    command = f"pg_isready -q -h 127.0.0.1 -p {chart.PORT} -t 3{otherwise}"
    return {"exec": {"command": ["/bin/sh", "-c", command]}, "timeoutSeconds": 5}


def _placement(cluster: Cluster) -> Object:
    """Data nodes and witness count as one kind, so that no two of them share a place."""
    term = {
        "topologyKey": cluster.placement.topology_key,
        "labelSelector": {"matchLabels": chart.selector(cluster, "postgresql")},
    }
    rules: Object = (
        {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        if cluster.placement.anti_affinity == "required"
        else {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    )
    found: Object = {"affinity": {"podAntiAffinity": rules}}
    if cluster.placement.node_selector:
        found["nodeSelector"] = dict(cluster.placement.node_selector)
    return found


def _extended_conf(cluster: Cluster) -> str:
    """The file's parameters on every data node: a standby with fewer connections than its primary does not start."""
    settings = {"max_connections": str(pgpool.size(cluster).max_connections)} | cluster.postgresql.settings
    quoted = ((name, text.replace("'", "''")) for name, text in settings.items())
    return "".join(f"{name} = '{text}'\n" for name, text in quoted)


def _metrics(cluster: Cluster) -> Object:
    return {
        "enabled": True,
        "image": chart.image_values(chart.EXPORTER_IMAGE),
        "customMetrics": metrics.queries(),
        # In chart 12 this is the container's own; what is not said here the namespace refuses (restricted).
        "podSecurityContext": {
            "runAsGroup": 1001,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "128Mi"}},
        "serviceMonitor": {
            "enabled": True,
            "interval": cluster.monitoring.interval,
            "labels": dict(cluster.monitoring.labels),
        },
    }
