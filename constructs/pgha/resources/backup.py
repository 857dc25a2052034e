"""pg_dump on a schedule: script, volume and CronJob."""

from dataclasses import dataclass, field
from importlib.resources import files

from pgha.config.model import Backup, Cluster
from pgha.resources.metadata import Object, metadata
from pgha.resources.pods import RESTRICTED_CONTAINER, RESTRICTED_POD, job_labels, secret_variable, small

_SCRIPTS, _DUMPS = "/pgha", "/backups"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is dumped, and as whom."""

    image: str
    """With pg_dump of the server's own major."""
    hosts: tuple[str, ...]
    user: str
    secret: str
    key: str
    skipped: tuple[str, ...] = ()
    """Databases that are the engine's own."""
    avoided: dict[str, str] = field(default_factory=dict)
    """Labels of pods beside whose data the dumps should not lie."""


def objects(cluster: Cluster, *, source: Source) -> list[Object]:
    """ConfigMap, volume and CronJob; empty without a backup in the file."""
    wanted = cluster.backup
    if wanted is None:
        return []
    script = files("pgha.resources.scripts").joinpath("backup.sh").read_text(encoding="utf-8")
    scripts = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(cluster, claim(cluster)),
        "data": {"backup.sh": script},
    }
    return [scripts, *_volume(cluster, wanted), _cron_job(cluster, wanted, source)]


def claim(cluster: Cluster) -> str:
    """Name of ConfigMap, claim and CronJob."""
    return f"{cluster.name}-backup"


def _volume(cluster: Cluster, wanted: Backup) -> list[Object]:
    """A claim; on an NFS share with its PersistentVolume: a pod may not mount a share itself (restricted)."""
    volume = wanted.volume
    spec: Object = {"resources": {"requests": {"storage": volume.size}}}
    made = []
    if volume.nfs_server and volume.nfs_path:
        name = f"{cluster.namespace}-{claim(cluster)}"
        share = metadata(cluster, name)
        del share["namespace"]
        made.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": share,
                "spec": {
                    "capacity": {"storage": volume.size},
                    "accessModes": ["ReadWriteMany"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": {"namespace": cluster.namespace, "name": claim(cluster)},
                    # Waiting for a share that is away is better than a dump that ends in the middle.
                    "mountOptions": ["hard"],
                    "nfs": {"server": volume.nfs_server, "path": volume.nfs_path},
                },
            }
        )
        spec |= {"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name}
    else:
        spec |= {"accessModes": ["ReadWriteOnce"], "storageClassName": cluster.dump_storage_class}
    made.append(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(cluster, claim(cluster)),
            "spec": spec,
        }
    )
    return made


def _cron_job(cluster: Cluster, wanted: Backup, source: Source) -> Object:
    pod: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # A large volume is not walked through when its owner is right already.
        "securityContext": RESTRICTED_POD | {"fsGroupChangePolicy": "OnRootMismatch"},
        "containers": [
            {
                "name": "backup",
                "image": source.image,
                "command": ["/bin/sh", f"{_SCRIPTS}/backup.sh"],
                "env": [
                    {"name": "PGHOST", "value": ",".join(source.hosts)},
                    {"name": "PGUSER", "value": source.user},
                    secret_variable("PGPASSWORD", source.secret, source.key),
                    {"name": "FOLDER", "value": _DUMPS},
                    {"name": "KEEP", "value": str(wanted.retention_days)},
                    {"name": "SKIP", "value": ",".join(source.skipped)},
                ],
                "resources": small("512Mi"),
                "securityContext": dict(RESTRICTED_CONTAINER),
                "volumeMounts": [
                    {"name": "scripts", "mountPath": _SCRIPTS, "readOnly": True},
                    {"name": "dumps", "mountPath": _DUMPS},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the shell's here-documents
                ],
            }
        ],
        "volumes": [
            {"name": "scripts", "configMap": {"name": claim(cluster)}},
            {"name": "dumps", "persistentVolumeClaim": {"claimName": claim(cluster)}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    if source.avoided:
        term = {
            "topologyKey": cluster.placement.topology_key,
            "labelSelector": {"matchLabels": dict(source.avoided)},
        }
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        pod["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(cluster, claim(cluster)),
        "spec": {
            "schedule": wanted.schedule,
            "timeZone": wanted.time_zone,
            "concurrencyPolicy": "Forbid",
            # A controller that was away for longer makes no dump in the middle of the day.
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": 6 * 3600,
                    "template": {"metadata": {"labels": job_labels(cluster)}, "spec": pod},
                }
            },
        },
    }
