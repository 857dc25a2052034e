"""Keeping it running: availability, changes, backups, and what brings it back."""

from datetime import UTC, datetime, timedelta

from pgha.config.model import Cluster
from pgha.verify.checks.topology import data_pods
from pgha.verify.ledger import DAYS, TARGET, Seen
from pgha.verify.readings import Reading, Readings
from pgha.verify.registry import Verdict, check, failed, not_applicable, not_measured, passed, verdict

_ENOUGH = 0.99
"""Of the 30 days that must have been seen before somebody may say that they were good."""
_CHANGE_SECONDS = 900.0
"""Spec, SC-006."""
_BACKUP_AGE = timedelta(hours=26)
"""A daily backup, and two hours in which it may run late."""


@check(
    "SC-005",
    "Available 99.9 % of 30 days",
    source="spec, SC-005: available 99.9% of the time during a 30-day measurement period",
    severity="critical",
    vantage="lan",
    needs=["probes"],
    remedy="the report's table of outages says when; compare with docs/runbooks/failover.md",
)
def available(_: Cluster, readings: Readings) -> Verdict:
    """Probes that `pgha verify --watch` recorded.

    Broken as soon as the 43 minutes of 30 days are used up; kept only when at least 99 % of the days were seen.
    """
    seen: Seen = readings["probes"]
    if not seen.probes:
        return not_measured("pgha verify --watch has not recorded a probe yet")
    line = (
        f"{seen.share_seen * DAYS:.2f} of {DAYS} days seen, {seen.share_seen:.1%}; of these {seen.availability:.3%} "
        f"available, {seen.minutes_down:.1f} of {seen.budget:.1f} minutes used; longest outage {seen.longest:.0f} s"
    )
    if seen.minutes_down > seen.budget:
        return failed(line)
    if seen.share_seen < _ENOUGH:
        return not_measured(line)
    return passed(line) if seen.availability >= TARGET else failed(line)


@check(
    "SC-006",
    "What the file says has arrived, within 15 minutes",
    source="spec, SC-006: infrastructure changes complete within 15 minutes",
    needs=["drift", "readiness"],
    uses=["application", "files"],
    remedy="pgha up (or Argo CD's Application) says what is in the way",
)
def arrived(_: Cluster, readings: Readings) -> Verdict:
    """Nothing planned differs from what lives, and it is ready. Where it is not: how long the file has been waiting.

    With Argo CD, how long its last sync took as well.
    """
    waiting = [each["object"] for each in readings["drift"] if not each["exists"] or each["differs"]]
    ready, age = readings["readiness"], _age(readings.get("files"))
    took = _sync_seconds(readings.get("application"))
    if took is not None and took > _CHANGE_SECONDS:
        return failed(f"Argo CD's last sync took {took / 60:.0f} minutes")
    if not waiting and ready.ready:
        return passed(f"{len(readings['drift'])} objects as planned, {ready.summary}")
    line = f"not as planned: {', '.join(waiting)}" if waiting else ready.summary
    if age is None:
        return failed(line)
    if age < _CHANGE_SECONDS:
        return not_measured(f"{line}; the file changed {age / 60:.0f} minutes ago")
    return failed(f"{line}; the file has been as it is for {age / 60:.0f} minutes")


def _age(files: Reading) -> float | None:
    return files["age"] if isinstance(files, dict) else None


def _sync_seconds(application: Reading) -> float | None:
    state = (
        ((application or {}).get("status") or {}).get("operationState") or {} if isinstance(application, dict) else {}
    )
    if not state.get("startedAt") or not state.get("finishedAt"):
        return None
    began, ended = (datetime.fromisoformat(state[key]) for key in ("startedAt", "finishedAt"))
    return (ended - began).total_seconds()


@check(
    "FR-009",
    "The cluster file is in Git, as it is",
    source="spec, FR-009: declaratively defined and version-controlled",
    severity="minor",
    vantage="files",
    needs=["files"],
    remedy="git add and git commit the file",
)
def in_git(_: Cluster, readings: Readings) -> Verdict:
    """Tracked, and without changes that no commit holds."""
    files = readings["files"]
    if not files["tracked"]:
        return failed("Git does not track the file")
    return failed("the file has changes that no commit holds") if files["modified"] else passed(files["commit"])


@check(
    "FR-010",
    "What lives is what the file plans",
    source="spec, FR-010: infrastructure changes through the automated deployment system",
    needs=["drift"],
    remedy="pgha up puts back what differs; find out first who changed it, or the change will come again",
)
def as_planned(_: Cluster, readings: Readings) -> Verdict:
    """A dry run of every planned object at the API server; what the engine's operator adds is no difference."""
    faults = []
    for each in readings["drift"]:
        if not each["exists"]:
            faults.append(f"{each['object']} is not there")
        elif each["refused"]:
            faults.append(f"{each['object']}: {each['refused']}")
        elif each["differs"]:
            faults.append(f"{each['object']} differs: {', '.join(each['differs'][:5])}")
    return verdict(faults, f"{len(readings['drift'])} objects, no difference")


@check(
    "FR-010.hands",
    "Nobody has changed it by hand",
    source="spec, FR-010; plan, Principle I: no manual kubectl or helm commands",
    severity="minor",
    needs=["drift"],
    remedy="put the change into the cluster file, and pgha up: a field that is also the file's is nobody's hand",
)
def by_hand(_: Cluster, readings: Readings) -> Verdict:
    """Who owns fields of the planned objects, by the API server's own record."""
    faults = [f"{each['object']}: {', '.join(each['hands'])}" for each in readings["drift"] if each["hands"]]
    return verdict(faults, f"{len(readings['drift'])} objects, none with a field of a person")


@check(
    "FR-012.recent",
    "There is a backup of the last day",
    source="spec, FR-012; data-model, 7. Backup; research, Backup Strategy: daily",
    severity="critical",
    needs=["backups"],
    remedy="pgha backup makes one now; docs/runbooks/backup.md says why none was made",
)
def recent(_: Cluster, readings: Readings) -> Verdict:
    """The newest that is done, by its own record; 26 hours, since a daily one may run late."""
    known = readings["backups"]["known"]
    done = [each for each in known if each.phase == "done" and each.finished]
    if not done:
        last = f"; the last one failed: {known[0].reason}" if known and known[0].phase == "failed" else ""
        return failed(f"none of {len(known)} is done{last}")
    newest = max(done, key=lambda each: each.finished)
    age = datetime.now(UTC) - newest.finished
    line = f"{newest.name}, {age.total_seconds() / 3600:.1f} hours old; {len(done)} in all"
    return failed(line) if age > _BACKUP_AGE else passed(line)


@check(
    "FR-012.restorable",
    "Nothing that the newest backup needs is missing",
    source="spec, FR-012: standard database backup and restore operations",
    severity="critical",
    needs=["backups", "instances"],
    remedy="docs/runbooks/backup.md; pgha restore proves it for good, into a new cluster",
)
def restorable(_: Cluster, readings: Readings) -> Verdict:
    """No fault known against backups, and the write-ahead log up to the backup's end is archived.

    That it restores only a restore proves.
    """
    found = readings["backups"]
    if found["trouble"]:
        return failed(found["trouble"])
    done = [each for each in found["known"] if each.phase == "done" and each.finished]
    if not done:
        return failed("there is no backup that is done")
    newest = max(done, key=lambda each: each.finished)
    primary = next((each for each in readings["instances"].values() if each.get("in_recovery") is False), None)
    if not newest.end_wal:
        return passed(f"{newest.name} is whole by itself")
    if primary is None:
        return not_measured("no primary can be asked what it has archived")
    archiver = primary["archiver"]
    if archiver["failed_at"] and (not archiver["at"] or archiver["failed_at"] > archiver["at"]):
        return failed(f"archiving fails since {archiver['failed_at']}: {archiver['failed_segment']}")
    if (archiver["segment"] or "") < newest.end_wal:
        return failed(f"{newest.name} needs {newest.end_wal}; archived is only {archiver['segment'] or 'nothing'}")
    return passed(f"{newest.name} needs {newest.end_wal}; archived is {archiver['segment']}")


@check(
    "EDGE-1",
    "Instances that all stop come back by themselves",
    source="spec, edge case 1: all database instances become unavailable simultaneously",
    severity="critical",
    needs=["pods"],
    remedy="a pod without a controller is not made again: find out who made it, and delete it",
)
def comes_back(cluster: Cluster, readings: Readings) -> Verdict:
    """Every pod of an instance belongs to a controller, and none restarts over and over.

    That all of them do come back only stopping them shows.
    """
    pods = data_pods(cluster, readings["pods"])
    faults, restarts = [], 0
    for pod in pods:
        name = pod["metadata"]["name"]
        if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or []):
            faults.append(f"{name} belongs to no controller")
        for status in pod["status"].get("containerStatuses") or []:
            restarts += status.get("restartCount", 0)
            reason = ((status.get("state") or {}).get("waiting") or {}).get("reason")
            if reason == "CrashLoopBackOff":
                faults.append(f"{name} stops again and again: container {status['name']}")
    return verdict(faults, f"{len(pods)} pods with a controller, {restarts} restarts since they were made")


@check(
    "EDGE-6",
    "No upgrade is half done",
    source="spec, edge case 6: failed database schema migrations or upgrades",
    needs=["instances", "pods"],
    remedy="pgha status says what the engine waits for; docs/runbooks/failover.md",
)
def whole_upgrade(cluster: Cluster, readings: Readings) -> Verdict:
    """All instances run the file's major version, the same minor one, from the same image, with its parameters."""
    found = {pod: facts for pod, facts in readings["instances"].items() if "error" not in facts}
    if not found:
        return not_measured("no instance answered")
    versions = {pod: facts["version"].split()[0] for pod, facts in found.items()}
    faults = []
    if len(set(versions.values())) > 1:
        faults.append("versions differ: " + ", ".join(f"{pod} {version}" for pod, version in versions.items()))
    faults += [
        f"{pod} runs {version}, the file says {cluster.postgresql.version}"
        for pod, version in versions.items()
        if version.partition(".")[0] != cluster.postgresql.version
    ]
    images = {pod["spec"]["containers"][0].get("image") for pod in data_pods(cluster, readings["pods"])}
    if len(images) > 1:
        faults.append(f"images differ: {', '.join(sorted(map(str, images)))}")
    faults += [
        f"{pod} waits for a restart: {', '.join(facts['pending_restart'])}"
        for pod, facts in found.items()
        if facts["pending_restart"]
    ]
    return verdict(faults, f"{len(found)} instances of PostgreSQL {next(iter(versions.values()))}")


@check(
    "P-II",
    "Argo CD has what Git has, and calls it healthy",
    source="plan, Principle II: GitOps workflow",
    needs=["application"],
    remedy="argocd app get NAME says which object and why",
)
def synced(cluster: Cluster, readings: Readings) -> Verdict:
    """The Application's own sync and health status; not applicable with `delivery: tofu`."""
    live = readings["application"]
    if live is None:
        return failed(f"there is no Application {cluster.gitops.argocd_namespace}/{cluster.name}")
    status = live.get("status") or {}
    sync, health = (status.get(key, {}).get("status", "unknown") for key in ("sync", "health"))
    line = f"{sync}, {health}"
    return passed(line) if (sync, health) == ("Synced", "Healthy") else failed(line)


@check(
    "P-VII",
    "The promises are tested, not asserted",
    source="plan, Principle VII: test-driven learning",
    severity="minor",
    vantage="files",
    needs=[],
    remedy="run the tests of this repository: make test",
)
def tested(_: Cluster, __: Readings) -> Verdict:
    """Of a repository, not of a running cluster: its tests break a cluster in every way that a check looks for."""
    return not_applicable("a property of the repository: tests/lab/test_verify_faults.py")
