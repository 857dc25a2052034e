"""Dumps on request: the CronJob's own job, and what jobs say."""

from typing import Any

from pgha.engines import engine_of
from tests.support import trio

CLUSTER = trio(backup={})
BACKUPS = engine_of(CLUSTER).backups
CRON_JOB = {"metadata": {"name": "trio-backup", "uid": "1"}, "spec": {"jobTemplate": {"spec": {"backoffLimit": 2}}}}


def job(name: str, *, owner: str = "trio-backup", **status: Any) -> dict[str, Any]:
    owners = [{"kind": "CronJob", "name": owner}]
    return {"metadata": {"name": name, "ownerReferences": owners}, "status": status}


def test_a_dump_now_is_the_job_of_the_schedule() -> None:
    made = BACKUPS.request(CLUSTER, "trio-now", lambda *_: CRON_JOB)
    assert made is not None
    assert (made["kind"], made["metadata"]["name"], made["spec"]) == ("Job", "trio-now", {"backoffLimit": 2})
    assert made["metadata"]["ownerReferences"][0]["uid"] == "1"


def test_without_its_schedule_there_is_nothing_to_run() -> None:
    assert BACKUPS.request(CLUSTER, "trio-now", lambda *_: None) is None
    assert "CronJob trio-ns/trio-backup does not exist" in BACKUPS.trouble(CLUSTER, lambda *_: None)


def test_jobs_are_read_the_newest_first_without_those_of_others() -> None:
    done = job(
        "one",
        startTime="2026-11-20T02:00:00Z",
        completionTime="2026-11-20T02:01:00Z",
        conditions=[{"type": "Complete", "status": "True"}],
    )
    failed = job(
        "two", startTime="2026-11-21T02:00:00Z", conditions=[{"type": "Failed", "status": "True", "message": "gave up"}]
    )
    running = job("three", startTime="2026-11-21T03:00:00Z")
    live = [done, failed, running, job("other", owner="another"), {"metadata": {"name": "access"}}]
    found = BACKUPS.known(CLUSTER, lambda *_: live)
    assert [(one.name, one.phase, one.reason) for one in found] == [
        ("three", "running", ""),
        ("two", "failed", "gave up"),
        ("one", "done", ""),
    ]


def test_no_cluster_is_made_from_dumps() -> None:
    assert not BACKUPS.makes_clusters
    assert "docs/how-to/restore-a-dump.md" in BACKUPS.instead
