"""The dumps: one on request, and what the jobs say about those that there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pgha.config.model import Cluster
from pgha.engines.backups import Backup, Inquiry, Kind, Lister, Stored
from pgha.engines.base import Reader
from pgha.resources.backup import claim
from pgha.resources.metadata import Object, metadata

_MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}
"""What `kubectl create job --from` notes too."""


class Dumps:
    """pg_dump by a CronJob, onto a volume."""

    kind: Kind = "pg_dump"
    makes_clusters = False
    instead = "restore its databases into the running cluster: docs/how-to/restore-a-dump.md"

    def request(self, cluster: Cluster, name: str, read: Reader) -> Object | None:
        """The CronJob's own job, now; None where the CronJob is not there yet."""
        live = read("batch/v1", "CronJob", cluster.namespace, claim(cluster))
        if live is None:
            return None
        meta = metadata(cluster, name) | {"annotations": _MANUAL, "ownerReferences": [_owner(live)]}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": live["spec"]["jobTemplate"]["spec"]}

    def known(self, cluster: Cluster, list_: Lister) -> list[Backup]:
        """The jobs that are kept: the last three good and bad ones of the schedule, and those on request."""
        jobs = [job for job in list_("batch/v1", "Job", cluster.namespace, None) if _is_dump(cluster, job)]
        return sorted((_record(job) for job in jobs), key=lambda each: (str(each.started), each.name), reverse=True)

    def earliest(self, cluster: Cluster, read: Reader) -> datetime | None:  # noqa: ARG002  # the protocol's
        """None: a dump is one moment, and what lies between two of them is lost."""
        return None

    def trouble(self, cluster: Cluster, read: Reader) -> str:
        """A CronJob that is not there."""
        if read("batch/v1", "CronJob", cluster.namespace, claim(cluster)) is None:
            return f"CronJob {cluster.namespace}/{claim(cluster)} does not exist"
        return ""

    def borrowed(self, cluster: Cluster) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002  # the protocol's
        """None."""
        return {}

    def inquiry(self, cluster: Cluster) -> Inquiry | None:  # noqa: ARG002  # the protocol's
        """None: the volume is in no running pod."""
        return None

    def stored(self, printed: str) -> list[Stored]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return []

    def recovery_pods(self, cluster: Cluster) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """None: no cluster is made from dumps."""
        return {}


def _owner(live: Object) -> Object:
    meta = live["metadata"]
    return {"apiVersion": "batch/v1", "kind": "CronJob", "name": meta["name"], "uid": meta["uid"], "controller": True}


def _is_dump(cluster: Cluster, job: Object) -> bool:
    owners = job["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "CronJob" and owner["name"] == claim(cluster) for owner in owners)


def _record(job: Object) -> Backup:
    status: dict[str, Any] = job.get("status") or {}
    ended = {entry["type"]: entry for entry in status.get("conditions") or [] if entry.get("status") == "True"}
    phase: Literal["waiting", "running", "done", "failed"] = "running" if status.get("startTime") else "waiting"
    if "Complete" in ended:
        phase = "done"
    elif "Failed" in ended:
        phase = "failed"
    return Backup(
        name=job["metadata"]["name"],
        phase=phase,
        on_demand=(job["metadata"].get("annotations") or {}).items() >= _MANUAL.items(),
        started=_moment(status.get("startTime")),
        finished=_moment(status.get("completionTime")),
        reason=str(ended.get("Failed", {}).get("message") or ""),
    )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
