"""Every check: passes on a whole cluster of either engine, and fails on one that has its fault.

The faults here are faked readings; tests/lab/test_verify_faults.py makes those that can be made on a real cluster.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines.backups import Backup
from pgha.engines.base import Readiness
from pgha.verify.ledger import Seen
from pgha.verify.readings import absent, unasked, unread
from pgha.verify.registry import Check, checks, judge
from tests.unit.verify.whole_cluster import Readings, charted, load, operated, readings

CHECKS = {each.id: each for each in checks()}

NEVER_FAILS = {"P-VII": "a property of the repository; it is never judged on a cluster"}

NOT_OF_THE_CHART = {"EDGE-7", "FR-007.networks"}
"""Kubernetes keeps no record of repmgr's primary, and the servers leave networks to Pgpool-II and NetworkPolicies."""

Fault = Callable[[Readings], None]


def put(name: str, *path: Any, to: Any) -> Fault:
    """Replace what lies at a path of a reading."""

    def change(found: Readings) -> None:
        place = found[name]
        for key in path[:-1]:
            place = place[key]
        if path:
            place[path[-1]] = to
        else:
            found[name] = to

    return change


def refused(vantage: str) -> Fault:
    """Somebody gets in with a wrong password."""
    return put(f"{vantage}.refusals", "attempts", "wrong password", to={"connected": True})


def first_end(vantage: str, **changes: Any) -> Fault:
    """Change what the first address answered."""

    def change(found: Readings) -> None:
        found[f"{vantage}.connections"]["endpoints"][0] |= changes

    return change


def lan_service(found: Readings) -> dict[str, Any]:
    return next(each for each in found["services"] if each["spec"]["type"] == "LoadBalancer")


REFUSED = {"error": "too many clients", "sqlstate": "53300"}
STRANGER = {"type": "host", "database": ["all"], "user": ["all"], "address": "0.0.0.0", "netmask": "0.0.0.0",
            "method": "scram-sha-256", "error": None, "line": 1}  # fmt: skip
CRASHES = {"waiting": {"reason": "CrashLoopBackOff"}}
NOW = datetime.now(UTC)


def many(**changes: Any) -> Fault:
    def change(found: Readings) -> None:
        found["pod.hundred"] |= changes

    return change


def a_backup_of_30_hours_ago(found: Readings) -> None:
    """Seen from when the check runs, not from when the tests were collected."""
    finished = datetime.now(UTC) - timedelta(hours=30)
    found["backups"]["known"][0] = Backup(name="b", phase="done", on_demand=False, finished=finished)


def public_address(found: Readings) -> None:
    lan_service(found)["status"]["loadBalancer"]["ingress"] = [{"ip": "8.8.8.8"}]


def open_to_all(found: Readings) -> None:
    del lan_service(found)["spec"]["loadBalancerSourceRanges"]


def another_port(found: Readings) -> None:
    lan_service(found)["spec"]["ports"] = [{"port": 5433}]


def on_every_node(found: Readings) -> None:
    lan_service(found)["spec"]["ports"] = [{"port": 5432, "nodePort": 30432}]


def lost_address(found: Readings) -> None:
    lan_service(found)["status"]["loadBalancer"] = {}


def new_service(found: Readings) -> None:
    lan_service(found)["metadata"]["uid"] = "another"


def shared_volume(found: Readings) -> None:
    found["claims"][1]["spec"]["volumeName"] = found["claims"][0]["spec"]["volumeName"]


def no_limits(found: Readings) -> None:
    del found["pods"][0]["spec"]["containers"][0]["resources"]


def no_probe(found: Readings) -> None:
    del found["pods"][0]["spec"]["containers"][0]["livenessProbe"]


def lagging(found: Readings) -> None:
    found["instances"]["db-2"] |= {"received": 5000, "replay_age": 61.0}


FAULTS: list[tuple[str, Fault, str]] = [
    ("SC-001", first_end("pod", seconds=[0.1, 5.2]), "slowest of 2 took 5.20 s"),
    ("SC-001", first_end("pod", errors=[{"error": "no route"}], seconds=[]), "no route"),
    ("SC-002", first_end("lan", seconds=[6.0]), "6.00 s"),
    ("SC-003", many(opened=97, refused=[REFUSED]), "97 of 100 connected: too many clients"),
    ("SC-003", many(many=load(connections=100, slowest=90.0)), "more than twice as slow"),
    ("SC-003", many(many=load() | {"failed": 3, "errors": [REFUSED]}), "3 connections broke"),
    ("SC-004", put("rows", "missing", "db-2", to=[["pod", 7]]), "db-2 lacks 1 of 400"),
    ("SC-004", put("rows", "errors", to=[{"error": "read-only"}]), "read-only"),
    ("SC-004", put("rows", "missing", "db-3", to=["it does not answer"]), "does not answer"),
    ("SC-005", put("probes", to=Seen(first=NOW, minutes=43_200, succeeded=99, failed=1, longest=9)), "432.0 of 43.2"),
    ("SC-005", put("probes", to=Seen(first=NOW, minutes=100, succeeded=1, failed=1, longest=9)), "50.0 of 43.2"),
    ("SC-006", put("drift", 0, "differs", to=["spec.instances"]), "for 1440 minutes"),
    ("SC-006", put("readiness", to=Readiness(ready=False, summary="2 of 3")), "2 of 3"),
    ("SC-006", put("application", "status", "operationState", "finishedAt", to="2026-11-21T10:16:00Z"), "16 minutes"),
    ("SC-007.routing", put("slices", 0, "endpoints", 0, "addresses", to=["10.9.9.9"]), "no ready pod"),
    ("SC-007.routing", put("slices", 0, "endpoints", to=[]), "leads nowhere"),
    ("SC-007.time", put("probes", to=Seen(first=NOW, minutes=9, succeeded=90, failed=8, longest=40)), "40 s"),
    ("SC-008.pod", put("pod.mixed", to=load(slowest=120.0)), "p95 120.0"),
    ("SC-008.lan", put("lan.mixed", to=load() | {"failed": 1, "errors": [REFUSED]}), "connections broke"),
    ("FR-001", put("pod.logins", "logins", 0, to={"user": "app", "database": "app", "error": "password"}), "password"),
    ("FR-002", put("lan.logins", "logins", 0, "answer", "user", to="other"), "the server calls it other"),
    ("FR-003", put("pod.concurrent", to={"opened": 12, "refused": [REFUSED]}), "12 of 20"),
    ("FR-003", put("lan.concurrent", to={"opened": 3, "refused": [REFUSED]}), "from the LAN: 3 of 20"),
    ("FR-004", put("instances", "db-1", "settings", "fsync", to="off"), "fsync is off"),
    ("FR-004", put("instances", "db-2", "checksum_failures", to=2), "2 pages"),
    ("FR-005.instances", put("pods", 0, "status", "conditions", to=[]), "2 ready of 3"),
    ("FR-005.primary", put("instances", "db-2", "in_recovery", to=False), "2 of 3 instances: db-1, db-2"),
    ("FR-005.primary", put("instances", "db-1", "in_recovery", to=True), "0 of 3"),
    ("FR-005.primary", put("instances", "db-3", to={"error": "not running"}), "db-3 does not answer"),
    ("FR-005.streaming", put("instances", "db-1", "standbys", to=None), "streams to 0 of 2"),
    ("FR-005.streaming", put("instances", "db-2", "replay_paused", to=True), "stopped to replay"),
    ("FR-005.streaming", put("instances", "db-2", "receiver", to=None), "receives from nobody"),
    ("FR-005.lag", lagging, "db-2: 61.0 s"),
    ("FR-005.nodes", put("pods", 1, "spec", "nodeName", to="n1"), "db-1 and db-2 on n1"),
    ("FR-005.routing", first_end("lan", answers=[{"in_recovery": True}]), "1 of 1 answers from a standby"),
    ("FR-006.pod", refused("pod"), "let in"),
    ("FR-006.lan", refused("lan"), "let in"),
    ("FR-006.methods", put("instances", "db-1", "hba", 1, "method", to="trust"), "trust"),
    ("FR-006.methods", put("instances", "db-1", "hba", 1, "error", to="invalid"), "invalid"),
    ("FR-007.networks", put("instances", "db-1", "hba", 0, to=STRANGER), "0.0.0.0"),
    ("FR-007.networks", put("instances", "db-1", "hba", 2, to=STRANGER), "0.0.0.0"),
    ("FR-007.stranger", put("loopback", to="password authentication failed"), "did not turn the client away"),
    ("FR-007.balancer", open_to_all, "everybody"),
    ("FR-007.public", public_address, "public address 8.8.8.8"),
    ("FR-007.public", on_every_node, "port 30432 on every node"),
    ("FR-008", put("instances", "db-2", "system", to="another"), "system identifiers differ"),
    ("FR-008", put("instances", "db-2", "timeline", to=2), "timelines differ"),
    ("FR-009", put("files", "tracked", to=False), "does not track"),
    ("FR-009", put("files", "modified", to=True), "no commit holds"),
    ("FR-010", put("drift", 0, "exists", to=False), "not there"),
    ("FR-010", put("drift", 0, "differs", to=["spec.instances"]), "spec.instances"),
    ("FR-010.hands", put("drift", 0, "hands", to=["kubectl-edit at noon"]), "kubectl-edit"),
    ("FR-011.declared", lost_address, "has address none"),
    ("FR-011.unchanged", new_service, "uid was"),
    ("FR-012.recent", put("backups", "known", to=[]), "none of 0"),
    ("FR-012.recent", put("backups", "known", 0, to=Backup(name="b", phase="failed", on_demand=False, reason="full")),
     "the last one failed: full"),
    ("FR-012.recent", a_backup_of_30_hours_ago, "30.0 hours old"),
    ("FR-012.restorable", put("backups", "trouble", to="the store is away"), "the store is away"),
    ("FR-012.restorable", put("instances", "db-1", "archiver", "segment", to="0" * 24), "archived is only"),
    ("FR-012.restorable", put("instances", "db-1", "archiver", "failed_at", to="2026-11-21T18:00Z"),
     "archiving fails"),
    ("EDGE-1", put("pods", 0, "metadata", "ownerReferences", to=[]), "belongs to no controller"),
    ("EDGE-1", put("pods", 0, "status", "containerStatuses", 0, "state", to=CRASHES), "again and again"),
    ("EDGE-2", put("pod.limit", "refusal", to={"error": "timed out", "sqlstate": None}), "no answer of the server"),
    ("EDGE-2", put("pod.limit", "afterwards", to={"connected": False, "error": "still full"}), "nobody gets in"),
    ("EDGE-3", put("instances", "db-1", "settings", "wal_sender_timeout", to="0"), "wal_sender_timeout is 0"),
    ("EDGE-4", put("instances", "db-1", "roles", 0, "limit", to=5), "may hold 5"),
    ("EDGE-4", put("instances", "db-1", "settings", "superuser_reserved_connections", to="0"), "administrator"),
    ("EDGE-5", put("instances", "db-1", "bytes", to=48 * 2**30), "96.0% used"),
    ("EDGE-6", put("instances", "db-2", "version", to="17.10"), "versions differ"),
    ("EDGE-6", put("instances", "db-2", "pending_restart", to=["max_connections"]), "waits for a restart"),
    ("EDGE-7", put("primary", to="db-2"), "Kubernetes names db-2"),
    ("DM-3", put("instances", "db-1", "databases", to=[]), "no database app"),
    ("DM-3", put("instances", "db-1", "databases", 0, "owner", to="postgres"), "owner is postgres"),
    ("DM-4", put("instances", "db-1", "roles", 0, "superuser", to=True), "app is a superuser"),
    ("DM-4", put("instances", "db-1", "roles", 0, "password", to="md5"), "md5"),
    ("DM-4.secrets", put("secrets", "app", "exists", to=False), "no Secret db-app"),
    ("DM-4.secrets", put("secrets", "app", "username", to="other"), "of user other"),
    ("DM-4.secrets", put("secrets", "app", "keys", to=["password"]), "has the keys password"),
    ("DM-6", put("claims", 0, "status", "capacity", "storage", to="5Gi"), "has 5Gi, the file asks for 50Gi"),
    ("DM-6", put("claims", 0, "status", "phase", to="Pending"), "is Pending"),
    ("DM-6", put("claims", 0, "spec", "storageClassName", to="slow"), "of class slow"),
    ("DM-6.own", shared_volume, "serves db-1 and db-2"),
    ("DM-6.own", put("volumes", 0, "spec", "persistentVolumeReclaimPolicy", to="Recycle"), "reclaimed by Recycle"),
    ("P-I", put("instances", "db-1", "settings", "work_mem", to="4096"), "work_mem is 4096kB, the file says 8MB"),
    ("P-II", put("application", "status", "sync", "status", to="OutOfSync"), "OutOfSync"),
    ("P-II", put("application", to=None), "there is no Application"),
    ("P-III", put("pods", 0, "spec", "containers", 0, "image", to="postgresql:latest"), "not pinned"),
    ("P-III", no_probe, "no livenessProbe"),
    ("P-IV.alerts", put("rules", to=[]), "none about lag, storage, connections, down"),
    ("P-IV.metrics", put("pod.metrics", "exporters", 0, to={"url": "u", "error": "refused"}), "u: refused"),
    ("P-IX", put("pods", 0, "spec", "hostNetwork", to=True), "node's address"),
    ("P-IX", another_port, "offers port 5433"),
    ("P-V", no_limits, "no limit of cpu"),
    ("P-V", put("policies", to=[]), "no NetworkPolicy selects db-1"),
    ("P-V", put("pods", 0, "spec", "containers", 0, "securityContext", to={"privileged": True}), "privileges"),
    ("P-VI", put("budgets", to=[]), "no PodDisruptionBudget selects db-1 and db-2"),
    ("P-VIII", put("rules", 0, "spec", "groups", 0, "rules", 0, "annotations", to={}), "names no runbook"),
]  # fmt: skip


def judged(check: Check, cluster: Cluster, found: Readings) -> Any:
    return judge(check, cluster, found)


@pytest.mark.parametrize("cluster", [operated(), charted()], ids=["cloudnative-pg", "bitnami"])
@pytest.mark.parametrize("id_", sorted(CHECKS))
def test_passes_on_a_whole_cluster(id_: str, cluster: Cluster) -> None:
    result = judged(CHECKS[id_], cluster, readings(cluster))
    is_asked = id_ not in NEVER_FAILS and not (cluster.engine == "bitnami" and id_ in NOT_OF_THE_CHART)
    assert (result.status, result.remedy) == ("passed" if is_asked else "not applicable", ""), result.evidence
    assert all(result.evidence)


@pytest.mark.parametrize(("id_", "fault", "words"), FAULTS, ids=[f"{id_} {words}" for id_, _, words in FAULTS])
def test_fails_on_its_fault(id_: str, fault: Fault, words: str) -> None:
    cluster = operated()
    found = readings(cluster)
    fault(found)
    result = judged(CHECKS[id_], cluster, found)
    assert result.status == "failed", result.evidence
    assert words in "; ".join(result.evidence)
    assert result.remedy


def test_every_check_has_been_seen_to_fail() -> None:
    assert {id_ for id_, _, _ in FAULTS} | NEVER_FAILS.keys() == CHECKS.keys()


@pytest.mark.parametrize("id_", sorted(CHECKS))
def test_says_why_it_was_not_measured(id_: str) -> None:
    check = CHECKS[id_]
    for need in check.needs:
        for missing, status in ((absent("none"), "not applicable"), (unasked("no"), "not measured"),
                                (unread("forbidden"), "not measured")):  # fmt: skip
            cluster = operated()
            result = judged(check, cluster, readings(cluster) | {need: missing})
            assert (result.status, result.evidence) == (status, (missing.reason,))
            assert result.unread == (missing.kind == "unread")


@pytest.mark.parametrize("id_", sorted(CHECKS))
def test_is_not_confused_by_instances_that_do_not_answer(id_: str) -> None:
    """All instances silent: a verdict, never a traceback."""
    cluster = operated()
    found = readings(cluster)
    found["instances"] = {name: {"error": "it is away"} for name in found["instances"]}
    result = judged(CHECKS[id_], cluster, found)
    assert isinstance(result.evidence, tuple)
    if "instances" in CHECKS[id_].needs:
        assert result.status in {"not measured", "failed"} or id_ == "FR-012.restorable"


NOT_YET: list[tuple[str, Fault, str]] = [
    (
        "FR-006.pod",
        put("pod.refusals", "attempts", "x", to={"connected": False, "sqlstate": None, "error": "no connection"}),
        "nobody answered",
    ),
    ("SC-007.time", put("probes", to=Seen(first=NOW, minutes=9, succeeded=90, failed=0, longest=0)), "no outage"),
    ("SC-005", put("probes", to=Seen(first=NOW, minutes=2000, succeeded=9999, failed=1, longest=1)), "1.39 of 30 days"),
    ("SC-003", many(room={"limit": 197, "used": 150, "free": 47}, many=None), "150 of 197 connections are in use"),
    ("SC-006", put("files", "age", to=60.0), "the file changed 1 minutes ago"),
    ("FR-011.unchanged", put("before", "cluster", to="other"), "about cluster other"),
    ("SC-004", put("rows", "acknowledged", to={"pod": 0}), "nothing was acknowledged"),
]


@pytest.mark.parametrize(("id_", "fault", "words"), NOT_YET, ids=[id_ for id_, _, _ in NOT_YET])
def test_does_not_say_passed_before_it_knows(id_: str, fault: Fault, words: str) -> None:
    cluster = operated()
    found = readings(cluster)
    fault(found)
    if id_ == "SC-003":
        del found["pod.hundred"]["many"]
    if id_ == "SC-006":
        found["drift"][0]["differs"] = ["spec"]
    result = judged(CHECKS[id_], cluster, found)
    assert result.status == "not measured", result.evidence
    assert words in result.evidence[0]


def test_sources_name_a_line_of_the_seed() -> None:
    known = ("spec,", "data-model,", "plan,", "research,")
    assert all(each.source.startswith(known) for each in CHECKS.values())


@pytest.mark.parametrize(
    "number",
    [f"SC-{n:03}" for n in range(1, 9)]
    + [f"FR-{n:03}" for n in range(1, 13)]
    + [f"EDGE-{n}" for n in range(1, 8)]
    + [f"P-{roman}" for roman in ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")],
)
def test_every_criterion_has_a_check(number: str) -> None:
    assert any(each.criterion == number for each in CHECKS.values())
