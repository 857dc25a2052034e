"""Physical backups and write-ahead log in an object store, by the Barman Cloud plugin.

Facts are from the plugin's source at v0.14 (API `barmancloud.cnpg.io/v1`) and from the lab.
"""

from datetime import UTC

from pgha.config.model import Cluster, ObjectStore
from pgha.config.rules.object_store import moment
from pgha.resources.metadata import Object, metadata

PLUGIN = "barman-cloud.cloudnative-pg.io"
STORE_VERSION = "barmancloud.cnpg.io/v1"
_CNPG = "postgresql.cnpg.io/v1"

KEY_ID, KEY_SECRET, CA = "ACCESS_KEY_ID", "ACCESS_SECRET_KEY", "ca.crt"
"""Keys of the Secrets that the file names."""

_SIDECAR = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
"""A call of Barman's programs takes 60 to 200 MiB (measured); what is uploaded in parallel adds to it."""

_OTHER_SERVERS = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
"""Newer AWS libraries send checksums that only AWS is sure to understand; an upload has its MD5 without them."""


def store_name(cluster: Cluster) -> str:
    """Name of the ObjectStore that is written, and of the ScheduledBackup."""
    return f"{cluster.name}-backup"


def recovery_store_name(cluster: Cluster) -> str:
    """Name of the ObjectStore that a new cluster is made from."""
    return f"{cluster.name}-recovery"


def stores(cluster: Cluster) -> list[Object]:
    """The ObjectStore for backups with its retention, and the one that is only read."""
    made = []
    if cluster.backup and cluster.backup.object_store:
        made.append(_store(cluster, store_name(cluster), cluster.backup.object_store))
        made[-1]["spec"]["retentionPolicy"] = f"{cluster.backup.retention_days}d"
    if cluster.recovery:
        made.append(_store(cluster, recovery_store_name(cluster), cluster.recovery.object_store))
    return made


def schedule(cluster: Cluster) -> list[Object]:
    """The ScheduledBackup; its first backup comes at once, since write-ahead log alone restores nothing.

    Backups are the primary's: its end switches to a new segment, which makes a backup restorable within seconds. A
    standby cannot do that, and one of an idle cluster that was called completed could not be restored for five
    minutes (measured). The records go with the Cluster, whose backups only they describe.
    """
    if cluster.backup is None:
        return []
    fields = cluster.backup.schedule.split()
    return [
        {
            "apiVersion": _CNPG,
            "kind": "ScheduledBackup",
            "metadata": metadata(cluster, store_name(cluster)),
            "spec": {
                # The operator's own cron counts seconds first.
                "schedule": " ".join(["0", *fields] if len(fields) == 5 else fields),
                "immediate": True,
                "backupOwnerReference": "cluster",
                **_what(cluster),
            },
        }
    ]


def request(cluster: Cluster, name: str) -> Object:
    """A Backup: one that is made now."""
    return {"apiVersion": _CNPG, "kind": "Backup", "metadata": metadata(cluster, name), "spec": _what(cluster)}


def _what(cluster: Cluster) -> Object:
    return {
        "cluster": {"name": cluster.name},
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
        "target": "primary",
    }


def cluster_parts(cluster: Cluster) -> Object:
    """What archiving and recovery add to the Cluster's spec, beside its bootstrap."""
    parts: Object = {}
    if cluster.backup:
        parts["plugins"] = [
            {"name": PLUGIN, "enabled": True, "isWALArchiver": True, "parameters": _parameters(store_name(cluster))}
        ]
    if cluster.recovery:
        parameters = _parameters(recovery_store_name(cluster)) | {"serverName": cluster.recovery.cluster}
        source = {"name": PLUGIN, "enabled": True, "isWALArchiver": False, "parameters": parameters}
        parts["externalClusters"] = [{"name": cluster.recovery.cluster, "plugin": source}]
    roles = [each.iam_role for each in _described(cluster) if each.iam_role]
    if roles:
        annotations = {"eks.amazonaws.com/role-arn": roles[0]}
        parts["serviceAccountTemplate"] = {"metadata": {"annotations": annotations}}
    return parts


def recovery(cluster: Cluster) -> Object | None:
    """`bootstrap.recovery` without its database and owner; None for a cluster that begins empty."""
    if cluster.recovery is None:
        return None
    found: Object = {"source": cluster.recovery.cluster}
    at = moment(cluster.recovery.target_time) if cluster.recovery.target_time else None
    if at is not None:
        found["recoveryTarget"] = {"targetTime": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")}
    return found


def borrowed(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Secrets that somebody else makes in the cluster's namespace, with the keys that they must have."""
    needed: dict[str, tuple[str, ...]] = {}
    for store in _described(cluster):
        if store.credentials_secret:
            needed[store.credentials_secret] = (KEY_ID, KEY_SECRET)
        if store.endpoint_ca_secret:
            needed[store.endpoint_ca_secret] = (*needed.get(store.endpoint_ca_secret, ()), CA)
    return needed


def _described(cluster: Cluster) -> list[ObjectStore]:
    found = [cluster.backup.object_store if cluster.backup else None]
    found.append(cluster.recovery.object_store if cluster.recovery else None)
    return [each for each in found if each is not None]


def _parameters(store: str) -> dict[str, str]:
    return {"barmanObjectName": store}


def _store(cluster: Cluster, name: str, wanted: ObjectStore) -> Object:
    configuration: Object = {
        "destinationPath": wanted.destination.rstrip("/"),
        "s3Credentials": _credentials(wanted),
        # gzip is the one that no sidecar lacks. One segment at a time: a server that is promoted, or looks for its
        # new primary, asks for the next one again and again; with four, each time it starts four programs (ADR 34).
        "wal": {"compression": "gzip", "maxParallel": 1},
        # Without an immediate checkpoint a backup may begin minutes after it was asked for.
        "data": {"compression": "gzip", "immediateCheckpoint": True, "jobs": 2},
    }
    if wanted.endpoint:
        configuration["endpointURL"] = wanted.endpoint.rstrip("/")
    if wanted.endpoint_ca_secret:
        configuration["endpointCA"] = {"name": wanted.endpoint_ca_secret, "key": CA}
    sidecar: Object = {"resources": _SIDECAR, "retentionPolicyIntervalSeconds": 1800, "logLevel": "info"}
    variables = dict.fromkeys(_OTHER_SERVERS, "when_required") if wanted.endpoint else {}
    if wanted.region:
        variables["AWS_DEFAULT_REGION"] = wanted.region
    if variables:
        sidecar["env"] = [{"name": key, "value": value} for key, value in variables.items()]
    return {
        "apiVersion": STORE_VERSION,
        "kind": "ObjectStore",
        "metadata": metadata(cluster, name),
        "spec": {"configuration": configuration, "instanceSidecarConfiguration": sidecar},
    }


def _credentials(wanted: ObjectStore) -> Object:
    if wanted.credentials_secret is None:
        return {"inheritFromIAMRole": True}
    return {
        "accessKeyId": {"name": wanted.credentials_secret, "key": KEY_ID},
        "secretAccessKey": {"name": wanted.credentials_secret, "key": KEY_SECRET},
    }
