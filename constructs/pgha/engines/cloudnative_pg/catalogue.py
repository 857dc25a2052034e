"""What the operator's and the plugin's objects say about backups."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pgha.config.model import Cluster
from pgha.engines.backups import Backup, Inquiry, Kind, Lister, Stored
from pgha.engines.base import Reader
from pgha.engines.cloudnative_pg import backup
from pgha.resources.metadata import Object

_CNPG = "postgresql.cnpg.io/v1"
_SCHEDULED = "cnpg.io/scheduled-backup"

_LIST = """
import json, os, subprocess, sys
os.environ.update(json.load(sys.stdin))
if sys.argv[1]:
    os.environ["AWS_CA_BUNDLE"] = sys.argv[1]
sys.exit(subprocess.call(["barman-cloud-backup-list", "--format", "json", *sys.argv[2:]]))
"""

_PHASES: dict[str, Literal["waiting", "running", "done", "failed"]] = {
    "": "waiting",
    "new": "waiting",
    "pending": "waiting",
    "completed": "done",
    "failed": "failed",
    "invalid backup definition": "failed",
    "walArchivingFailing": "waiting",
}
"""The operator's words for a Backup (api/v1/backup_types.go); the others are of one that runs."""


class PhysicalBackups:
    """Base backups and write-ahead log, by the Barman Cloud plugin."""

    kind: Kind = "physical"
    makes_clusters = True
    instead = ""

    def request(self, cluster: Cluster, name: str, read: Reader) -> Object | None:
        """A Backup, once there is a Cluster."""
        live = read(_CNPG, "Cluster", cluster.namespace, cluster.name)
        return None if live is None else backup.request(cluster, name)

    def known(self, cluster: Cluster, list_: Lister) -> list[Backup]:
        """The Backup objects; the plugin deletes those whose data retention has deleted."""
        found = [
            _record(obj)
            for obj in list_(_CNPG, "Backup", cluster.namespace, None)
            if obj["spec"]["cluster"]["name"] == cluster.name
        ]
        return sorted(found, key=_age)

    def earliest(self, cluster: Cluster, read: Reader) -> datetime | None:
        """The plugin's first point of recoverability."""
        store = read(backup.STORE_VERSION, "ObjectStore", cluster.namespace, backup.store_name(cluster)) or {}
        window = ((store.get("status") or {}).get("serverRecoveryWindow") or {}).get(cluster.name) or {}
        return _moment(window.get("firstRecoverabilityPoint"))

    def trouble(self, cluster: Cluster, read: Reader) -> str:
        """A Secret that is missing, or the operator's condition ContinuousArchiving."""
        if missing := missing_secret(cluster, read):
            return missing
        live = read(_CNPG, "Cluster", cluster.namespace, cluster.name)
        if live is None:
            return f"Cluster {cluster.namespace}/{cluster.name} does not exist"
        return archives(live) or ""

    def borrowed(self, cluster: Cluster) -> Mapping[str, tuple[str, ...]]:
        """The store's keys and the authority of its certificate."""
        return backup.borrowed(cluster)

    def inquiry(self, cluster: Cluster) -> Inquiry | None:
        """Barman's own list, asked for in the plugin's container, which has Barman, the way and the certificate."""
        wanted = cluster.backup.object_store if cluster.backup else None
        if wanted is None:
            return None
        where = [*(["--endpoint-url", wanted.endpoint.rstrip("/")] if wanted.endpoint else [])]
        where += [wanted.destination.rstrip("/"), cluster.name]
        authority = (
            f"/barman-certificates/{backup.store_name(cluster)}/barman-ca.crt" if wanted.endpoint_ca_secret else ""
        )
        keys = {"AWS_ACCESS_KEY_ID": backup.KEY_ID, "AWS_SECRET_ACCESS_KEY": backup.KEY_SECRET}
        secret = wanted.credentials_secret
        return Inquiry(
            container="plugin-barman-cloud",
            command=("python3", "-c", _LIST, authority, *where),
            secrets={variable: (secret, key) for variable, key in keys.items()} if secret else {},
        )

    def stored(self, printed: str) -> list[Stored]:
        """What barman-cloud-backup-list prints; only what is whole counts."""
        found = json.loads(printed)["backups_list"]
        return [Stored(id=one["backup_id"], size=one.get("cluster_size")) for one in found if one["status"] == "DONE"]

    def recovery_pods(self, cluster: Cluster) -> Mapping[str, str]:
        """Those of the operator's job `full-recovery`."""
        return {"cnpg.io/cluster": cluster.name, "cnpg.io/jobRole": "full-recovery"}


def missing_secret(cluster: Cluster, read: Reader) -> str | None:
    """The first Secret of the object stores that is not there or lacks a key, and how to make it."""
    for name, keys in backup.borrowed(cluster).items():
        live = read("v1", "Secret", cluster.namespace, name)
        lacking = [key for key in keys if key not in ((live or {}).get("data") or {})]
        if lacking:
            literals = " ".join(f"--from-file={key}=FILE" for key in keys)
            state = "does not exist" if live is None else f"has no {', '.join(lacking)}"
            return (
                f"Secret {cluster.namespace}/{name} {state}: "
                f"kubectl -n {cluster.namespace} create secret generic {name} {literals}"
            )
    return None


def archives(live: Object) -> str | None:
    """What stands against archiving, in the operator's words; None where it works."""
    condition = _condition(live, "ContinuousArchiving")
    match condition.get("status"):
        case "True":
            return None
        case "False":
            return f"write-ahead log is not archived: {' '.join(str(condition.get('message') or '').split())}"
        case _:
            return "no write-ahead log was archived yet"


def _record(obj: Object) -> Backup:
    status: dict[str, Any] = obj.get("status") or {}
    labels = obj["metadata"].get("labels") or {}
    return Backup(
        name=obj["metadata"]["name"],
        phase=_PHASES.get(str(status.get("phase") or ""), "running"),
        on_demand=_SCHEDULED not in labels,
        id=str(status.get("backupId") or ""),
        started=_moment(status.get("startedAt")),
        finished=_moment(status.get("stoppedAt")),
        end_wal=str(status.get("endWal") or ""),
        reason=" ".join(str(status.get("error") or "").split()),
    )


def _age(found: Backup) -> tuple[float, str]:
    """The newest first, and before it what has not begun."""
    return (-found.started.timestamp() if found.started else float("-inf"), found.name)


def _condition(live: Object, kind: str) -> dict[str, Any]:
    conditions = (live.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
