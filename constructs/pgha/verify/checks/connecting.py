"""Getting in: how long it takes, from where, as whom, and at addresses that stay."""

from typing import Any

from pgha.config.model import Cluster
from pgha.engines import engine_of
from pgha.verify.readings import Readings
from pgha.verify.registry import Verdict, check, failed, not_measured, passed, verdict

_CONNECT_SECONDS = 5.0
"""Spec, SC-001 and SC-002."""
_SLOW = "look at name resolution and at log_hostname first: a reverse look-up of each client can take seconds"


def _quick(facts: dict[str, Any]) -> Verdict:
    faults, fine = [], []
    for end in facts["endpoints"]:
        where = f"{end['host']}:{end['port']}"
        if end["errors"]:
            faults.append(f"{where}: {end['errors'][0]['error']}")
        elif max(end["seconds"]) > _CONNECT_SECONDS:
            faults.append(f"{where}: slowest of {len(end['seconds'])} took {max(end['seconds']):.2f} s")
        else:
            fine.append(f"{where}: slowest of {len(end['seconds'])} took {max(end['seconds']) * 1000:.0f} ms")
    return verdict(faults, *fine)


@check(
    "SC-001",
    "A pod is connected within 5 s",
    source="spec, SC-001: connections from the Kubernetes cluster within 5 seconds",
    severity="critical",
    vantage="pod",
    needs=["pod.connections"],
    remedy=f"pgha status says whether a primary runs; {_SLOW}",
)
def pod_connects(_: Cluster, readings: Readings) -> Verdict:
    """Every address for pods, five times one after the other, first answer included."""
    return _quick(readings["pod.connections"])


@check(
    "SC-002",
    "A host of the LAN is connected within 5 s",
    source="spec, SC-002: connections from the internal network within 5 seconds",
    severity="critical",
    vantage="lan",
    needs=["lan.connections"],
    remedy=f"see docs/runbooks/connections.md: address, announcement, firewall; {_SLOW}",
)
def lan_connects(_: Cluster, readings: Readings) -> Verdict:
    """Every address for the LAN, five times one after the other, first answer included."""
    return _quick(readings["lan.connections"])


def _everybody(facts: dict[str, Any]) -> Verdict:
    faults = [f"{each['user']}@{each['database']}: {each['error']}" for each in facts["logins"] if "error" in each]
    faults += [
        f"{each['user']}@{each['database']}: the server calls it {each['answer']['user']}"
        for each in facts["logins"]
        if "error" not in each and each["answer"]["user"] != each["user"]
    ]
    names = ", ".join(f"{each['user']}@{each['database']}" for each in facts["logins"])
    return verdict(faults, f"logged in and ran a query: {names}")


@check(
    "FR-001",
    "Every user can log in from a pod",
    source="spec, FR-001: accessible from within the Kubernetes cluster",
    severity="critical",
    vantage="pod",
    needs=["pod.logins"],
    remedy="compare the Secret with the role: docs/runbooks/rotate-passwords.md",
)
def pod_logins(_: Cluster, readings: Readings) -> Verdict:
    """With the password of its own Secret, to each of its databases."""
    return _everybody(readings["pod.logins"])


@check(
    "FR-002",
    "Every user can log in from the LAN",
    source="spec, FR-002: the same database service from the internal network",
    severity="critical",
    vantage="lan",
    needs=["lan.logins"],
    remedy="compare the Secret with the role: docs/runbooks/rotate-passwords.md",
)
def lan_logins(_: Cluster, readings: Readings) -> Verdict:
    """With the password of its own Secret, to each of its databases."""
    return _everybody(readings["lan.logins"])


@check(
    "FR-003",
    "Twenty clients at once, from the LAN and from a pod",
    source="spec, FR-003: multiple concurrent connections from both",
    vantage="pod",
    needs=["pod.concurrent"],
    uses=["lan.concurrent"],
    remedy="compare max_connections and the pooler's size with what holds connections: pgha status",
)
def both_at_once(_: Cluster, readings: Readings) -> Verdict:
    """Twenty from each place; where there is no LAN address, from a pod alone."""
    faults, fine = [], []
    for vantage, where in (("pod", "a pod"), ("lan", "the LAN")):
        facts = readings.get(f"{vantage}.concurrent")
        if not isinstance(facts, dict):
            continue
        if facts["refused"]:
            faults.append(f"from {where}: {facts['opened']} of 20; {facts['refused'][0]['error']}")
        else:
            fine.append(f"from {where}: {facts['opened']} of 20")
    return verdict(faults, *fine)


@check(
    "FR-005.routing",
    "Addresses for writes lead to the primary, those for reading to standbys",
    source="spec, FR-005; data-model, 5. Connection Endpoint, target_instances",
    severity="critical",
    vantage="pod",
    needs=["pod.connections"],
    uses=["lan.connections"],
    remedy="look at the Service's selector and the pods' labels; docs/runbooks/connections.md",
)
def routing(cluster: Cluster, readings: Readings) -> Verdict:
    """Whoever answered is asked whether it is in recovery."""
    roles = {(end.host, end.port): end.role for end in engine_of(cluster).endpoints(cluster)}
    faults: list[str] = []
    fine: list[str] = []
    for vantage in ("pod", "lan"):
        facts = readings.get(f"{vantage}.connections")
        for end in facts["endpoints"] if isinstance(facts, dict) else []:
            role = roles.get((end["host"], end["port"]), "any")
            standbys = sum(answer["in_recovery"] for answer in end["answers"])
            wrong = {"read-write": standbys, "read-only": len(end["answers"]) - standbys}.get(role, 0)
            line = f"{end['host']} ({role}): {standbys} of {len(end['answers'])} answers from a standby"
            (faults if wrong else fine).append(line)
    return verdict(faults, *fine)


def published(cluster: Cluster, services: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What clients hold on to, by Service: its uid, its address inside, and those outside."""
    wanted = {end.service for end in engine_of(cluster).endpoints(cluster)}
    return {
        live["metadata"]["name"]: {
            "uid": live["metadata"]["uid"],
            "clusterIP": live["spec"].get("clusterIP"),
            "addresses": sorted(
                entry.get("ip", "") for entry in (live.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
            ),
            "ports": sorted(port["port"] for port in live["spec"].get("ports") or []),
        }
        for live in services
        if live["metadata"]["name"] in wanted
    }


@check(
    "FR-011.declared",
    "Addresses are the ones that the file promises",
    source="spec, FR-011: endpoint information that remains stable; data-model, 5. Connection Endpoint",
    needs=["services"],
    remedy="pgha up applies them; for a LAN address look at MetalLB's pools and who else has it",
)
def declared(cluster: Cluster, readings: Readings) -> Verdict:
    """Every Service of the plan is there, with its port, and holds its LAN address."""
    live = published(cluster, readings["services"])
    faults: list[str] = []
    fine: list[str] = []
    for end in engine_of(cluster).endpoints(cluster):
        found = live.get(end.service)
        if found is None:
            faults.append(f"there is no Service {end.service}")
        elif end.port not in found["ports"]:
            faults.append(f"Service {end.service} has port {found['ports']}, not {end.port}")
        elif end.vantage == "lan" and end.host not in found["addresses"]:
            faults.append(f"Service {end.service} has address {found['addresses'] or 'none'}, not {end.host}")
        else:
            fine.append(f"{end.host}:{end.port}")
    return verdict(faults, *fine)


@check(
    "FR-011.unchanged",
    "Addresses are the same as in the report before",
    source="spec, FR-011; data-model, ClusterIP Stability",
    needs=["services", "before"],
    remedy="somebody deleted and made a Service anew: tell the clients that hold the old address",
)
def unchanged(cluster: Cluster, readings: Readings) -> Verdict:
    """uid, addresses and ports of every Service, against those that the report in --report DIR recorded."""
    before = readings["before"]
    if before.get("cluster") != cluster.name:
        return not_measured(f"the report there is about cluster {before.get('cluster')}")
    old, live = before.get("endpoints") or {}, published(cluster, readings["services"])
    faults = [
        f"Service {name}: {key} was {then[key]}, is {live.get(name, {}).get(key)}"
        for name, then in old.items()
        for key in then
        if live.get(name, {}).get(key) != then[key]
    ]
    if faults:
        return failed(*faults)
    return passed(f"{len(old)} Services as on {before.get('at')}")
