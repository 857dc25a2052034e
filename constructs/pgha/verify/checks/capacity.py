"""How many clients, how fast, and what happens beyond the limit."""

from typing import Any

from pgha.config.model import Cluster
from pgha.verify.readings import Readings
from pgha.verify.registry import Verdict, check, failed, not_measured, passed, verdict

CONNECTIONS = 100
"""Spec, SC-003."""
LIMIT_MS = 100.0
"""Spec, SC-008."""
_RATIO = 2.0
_NOISE_MS = 25.0
"""Below a quarter of SC-008's limit a ratio says more about the machine than about the database."""
_TOO_MANY = "53300"


def percentile(milliseconds: list[float], share: float) -> float:
    """Of a sorted list, by nearest rank."""
    return milliseconds[min(len(milliseconds) - 1, int(share * len(milliseconds)))]


@check(
    "SC-003",
    "A hundred connections at once, as fast as ten",
    source="spec, SC-003: at least 100 concurrent connections without performance degradation",
    vantage="pod",
    needs=["pod.hundred"],
    remedy="raise postgresql.parameters.max_connections (or the pooler's), and memory and CPU with it",
)
def hundred(_: Cluster, readings: Readings) -> Verdict:
    """The same number of statements a second over 10 and over 100 connections: p95 at most doubles, no error."""
    facts = readings["pod.hundred"]
    room = facts.get("room")
    if "many" not in facts:
        if room is None:
            return failed(f"not even ten: {_first(facts['refused'])}")
        return not_measured(
            f"{room['used']} of {room['limit']} connections are in use: 100 more would leave none to their owners"
        )
    few, many = facts["few"], facts["many"]
    if facts["opened"] < CONNECTIONS:
        return failed(f"{facts['opened']} of {CONNECTIONS} connected: {_first(facts['refused'])}")
    if few["failed"] or many["failed"]:
        return failed(f"{few['failed'] + many['failed']} connections broke: {_first(few['errors'] + many['errors'])}")
    ten, hundred_ = percentile(few["milliseconds"], 0.95), percentile(many["milliseconds"], 0.95)
    line = f"p95 at {few['rate']:.0f} statements/s: {ten:.1f} ms over 10, {hundred_:.1f} ms over 100 connections"
    slower = hundred_ > _RATIO * ten and hundred_ > _NOISE_MS
    return failed(f"{line}: more than twice as slow") if slower else passed(line)


def _first(errors: list[dict[str, Any]]) -> str:
    return str(errors[0]["error"]) if errors else "no reason given"


@check(
    "EDGE-2",
    "Beyond the limit clients are told so, and get in again afterwards",
    source="spec, edge case 2: connection exhaustion when too many clients attempt simultaneous connections",
    vantage="pod",
    needs=["pod.limit"],
    remedy="docs/runbooks/connections.md",
)
def beyond_the_limit(_: Cluster, readings: Readings) -> Verdict:
    """Connections are opened until one is refused. It takes all that are free, for a moment: only with --write."""
    facts = readings["pod.limit"]
    told = facts["refusal"]
    if not told:
        return not_measured(f"{facts['opened']} connections were open, and nobody refused")
    line = f"connection {facts['opened'] + 1} was refused: {told['error']}"
    if told["sqlstate"] is None:
        return failed(f"{line}: no answer of the server, so clients cannot tell it from an outage")
    if not facts["afterwards"].get("connected"):
        return failed(f"{line}; afterwards nobody gets in: {facts['afterwards'].get('error')}")
    note = "" if told["sqlstate"] == _TOO_MANY else f" (SQLSTATE {told['sqlstate']})"
    return passed(f"{line}{note}; a second later clients get in again")


@check(
    "EDGE-4",
    "Users have the connection limits that the file gives them",
    source="spec, edge case 4: internal network clients exceed connection limits",
    severity="minor",
    needs=["instances"],
    remedy="pgha up sets them; the server refuses a user beyond its limit and keeps the others in",
)
def limits(cluster: Cluster, readings: Readings) -> Verdict:
    """Each role's limit, and connections kept free for the administrator."""
    found = _asked(readings)
    if found is None:
        return not_measured("no instance answered")
    roles = {role["name"]: role for role in found["roles"]}
    faults = [
        f"{user.name} may hold {roles[user.name]['limit']}, the file says {user.connection_limit}"
        for user in cluster.users
        if user.name in roles and roles[user.name]["limit"] != user.connection_limit
    ]
    reserved = int(found["settings"]["superuser_reserved_connections"])
    if reserved < 1:
        faults.append("no connection is kept for the administrator: superuser_reserved_connections is 0")
    return verdict(faults, f"{len(cluster.users)} users as the file says; {reserved} kept for the administrator")


def _asked(readings: Readings) -> dict[str, Any] | None:
    return next((each for each in readings["instances"].values() if "error" not in each), None)


def _fast(facts: dict[str, Any]) -> Verdict:
    if "milliseconds" not in facts:
        return failed(f"no connection: {_first(facts['refused'])}")
    if facts["failed"]:
        return failed(f"{facts['failed']} of {facts['connections']} connections broke: {_first(facts['errors'])}")
    p50, p95, p99 = (percentile(facts["milliseconds"], share) for share in (0.5, 0.95, 0.99))
    mix = (
        "4 reads and 1 update by key"
        if facts["own_table"]
        else "4 look-ups in the catalogue and 1 commit that changes no table"
    )
    line = (
        f"p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms: {facts['statements']} statements, "
        f"{facts['rate']:.0f}/s over {facts['connections']} connections, {mix}"
    )
    return failed(line) if p95 > LIMIT_MS else passed(line)


@check(
    "SC-008.pod",
    "From a pod, 95 of 100 statements end within 100 ms",
    source="spec, SC-008: response times under 100ms for 95% of queries under normal load",
    vantage="pod",
    needs=["pod.mixed"],
    remedy="look at the disk (commits wait for it), at CPU limits, and at a synchronous standby far away",
)
def fast_from_pod(_: Cluster, readings: Readings) -> Verdict:
    """A hundred statements a second over ten connections; late starts count as slow answers."""
    return _fast(readings["pod.mixed"])


@check(
    "SC-008.lan",
    "From the LAN, 95 of 100 statements end within 100 ms",
    source="spec, SC-008: response times under 100ms for 95% of queries under normal load",
    vantage="lan",
    needs=["lan.mixed"],
    remedy="compare with SC-008.pod: what is slow here alone is the network or the address's node",
)
def fast_from_lan(_: Cluster, readings: Readings) -> Verdict:
    """A hundred statements a second over ten connections; late starts count as slow answers."""
    return _fast(readings["lan.mixed"])
