"""How many instances, which is the primary, who follows whom, how closely, and where they run."""

from typing import Any

from pgha.config.model import Cluster
from pgha.engines import engine_of
from pgha.resources.pods import is_ready
from pgha.verify.ledger import Seen
from pgha.verify.readings import Missing, Readings
from pgha.verify.registry import Verdict, check, failed, not_applicable, not_measured, passed, verdict

ISOLATED_SECONDS = 30.0
"""Spec, SC-007."""
LAG_SECONDS = 60.0
"""Data-model, Replication Lag Bound."""


def lag(facts: dict[str, Any]) -> float:
    """Seconds by which a standby shows older data than it has received; 0 where it has replayed all."""
    if facts["received"] is None or facts["received"] <= facts["position"]:
        return 0.0
    return float(facts["replay_age"] or 0.0)


def data_pods(cluster: Cluster, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods of the instances among those of the namespace."""
    labels = dict(engine_of(cluster).instances(cluster)).items()
    return [pod for pod in pods if labels <= (pod["metadata"].get("labels") or {}).items()]


@check(
    "FR-005.instances",
    "As many instances are ready as the file asks for",
    source="spec, FR-005; data-model, instance_count and Minimum Instances",
    severity="critical",
    needs=["pods"],
    remedy="pgha status names what is in the way of the missing one",
)
def instances(cluster: Cluster, readings: Readings) -> Verdict:
    """Ready pods of instances; at least two, or there is nobody to take over."""
    found = data_pods(cluster, readings["pods"])
    ready = [pod["metadata"]["name"] for pod in found if is_ready(pod)]
    line = f"{len(ready)} ready of {len(found)} pods; the file asks for {cluster.instances}"
    return passed(line) if len(ready) == len(found) == cluster.instances >= 2 else failed(line)


@check(
    "FR-005.primary",
    "Exactly one instance takes writes",
    source="data-model, Single Primary Rule; spec, FR-005",
    severity="critical",
    needs=["instances"],
    remedy="stop the applications, then docs/runbooks/split-brain.md: two primaries take different writes",
)
def one_primary(_: Cluster, readings: Readings) -> Verdict:
    """Every instance is asked itself, over its own socket; a Service would show only one of two."""
    found = readings["instances"]
    silent = [f"{pod} does not answer: {facts['error']}" for pod, facts in found.items() if "error" in facts]
    primaries = [pod for pod, facts in found.items() if facts.get("in_recovery") is False]
    line = f"{len(primaries)} of {len(found)} instances: {', '.join(primaries) or 'none'}"
    if not primaries:
        return failed(line, *silent, remedy="pgha status says what is in the way; docs/runbooks/failover.md")
    if len(primaries) == 1 and silent:
        return failed(line, *silent, remedy="an instance that nobody can ask may be a second primary: make it answer")
    return passed(line) if len(primaries) == 1 else failed(line)


@check(
    "FR-005.streaming",
    "Every standby follows the primary, in the mode of the file",
    source="data-model, Replication Direction and replication_mode",
    severity="critical",
    needs=["instances"],
    remedy="docs/runbooks/replication.md",
)
def streaming(cluster: Cluster, readings: Readings) -> Verdict:
    """The primary streams to each of the others, which have a receiver and replay; synchronous as declared."""
    found = {pod: facts for pod, facts in readings["instances"].items() if "error" not in facts}
    primaries = [facts for facts in found.values() if not facts["in_recovery"]]
    if len(primaries) != 1:
        return not_measured(f"there are {len(primaries)} primaries")
    followers = [each for each in primaries[0]["standbys"] or [] if each["state"] == "streaming"]
    faults = []
    if len(followers) < cluster.standbys:
        faults.append(f"the primary streams to {len(followers)} of {cluster.standbys} standbys")
    for pod, facts in found.items():
        if facts["in_recovery"] and not facts["receiver"]:
            faults.append(f"{pod} receives from nobody")
        if facts["in_recovery"] and facts["replay_paused"]:
            faults.append(f"{pod} has stopped to replay what it receives")
    if cluster.replication.mode == "sync":
        confirming = [each for each in followers if each["sync"] in {"sync", "quorum"}]
        if len(confirming) < cluster.replication.synchronous_standbys:
            faults.append(f"{len(confirming)} standbys confirm; the file asks for synchronous replication")
    modes = ", ".join(f"{each['name']} {each['sync']}" for each in followers)
    return verdict(faults, f"{len(followers)} standbys stream: {modes}")


@check(
    "FR-005.lag",
    f"No standby lags by {LAG_SECONDS:.0f} s",
    source="data-model, Replication Lag Bound: less than 60 seconds",
    needs=["instances"],
    remedy="docs/runbooks/replication.md: a paused replay, a long query on the standby, a slow disk or network",
)
def lagging(_: Cluster, readings: Readings) -> Verdict:
    """By each standby's own clock and positions; one that has replayed all that it received lags by nothing."""
    found = {pod: facts for pod, facts in readings["instances"].items() if facts.get("in_recovery")}
    if not found:
        return not_measured("no standby answered")
    lags = {pod: lag(facts) for pod, facts in found.items()}
    head = max(
        (facts["position"] for facts in readings["instances"].values() if facts.get("in_recovery") is False), default=0
    )
    lines = [
        f"{pod}: {seconds:.1f} s, {max(0, head - found[pod]['position'])} bytes behind" for pod, seconds in lags.items()
    ]
    return failed(*lines) if max(lags.values()) >= LAG_SECONDS else passed(*lines)


@check(
    "FR-005.nodes",
    "Instances run on different nodes",
    source="data-model, Volume Locality; plan, Principle VI",
    severity="critical",
    needs=["pods"],
    remedy="add a node, or drain one that has two: antiAffinity required keeps them apart from then on",
)
def nodes(cluster: Cluster, readings: Readings) -> Verdict:
    """One node that dies takes one instance with it. Told, not asked, where the file only prefers it."""
    where: dict[str, list[str]] = {}
    for pod in data_pods(cluster, readings["pods"]):
        where.setdefault(pod["spec"].get("nodeName") or "no node", []).append(pod["metadata"]["name"])
    shared = {node: names for node, names in where.items() if len(names) > 1}
    line = ", ".join(f"{' and '.join(names)} on {node}" for node, names in where.items())
    if shared and cluster.placement.anti_affinity == "preferred":
        return not_applicable(f"the file only prefers different nodes: {line}")
    return failed(line) if shared or not where else passed(line)


@check(
    "SC-007.routing",
    "Services lead to instances that are ready, and to no others",
    source="spec, SC-007: failed instances are detected and isolated within 30 seconds",
    severity="critical",
    needs=["pods", "slices"],
    remedy="look at the pod's readiness and the Service's selector",
)
def isolated(cluster: Cluster, readings: Readings) -> Verdict:
    """Every ready address behind the cluster's Services is a ready pod's.

    How long isolation takes only a failure shows: SC-007.time.
    """
    wanted = {end.service for end in engine_of(cluster).endpoints(cluster)}
    ready = {pod["status"].get("podIP"): pod["metadata"]["name"] for pod in readings["pods"] if is_ready(pod)}
    faults, empty, used = [], set(wanted), 0
    for each in readings["slices"]:
        service = (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        if service not in wanted:
            continue
        for entry in each.get("endpoints") or []:
            if (entry.get("conditions") or {}).get("ready") is False:
                continue
            empty.discard(service)
            used += 1
            faults += [
                f"Service {service} leads to {ip}, no ready pod of this namespace"
                for ip in entry["addresses"]
                if ip not in ready
            ]
    faults += [f"Service {service} leads nowhere" for service in sorted(empty)]
    return verdict(faults, f"{len(wanted)} Services, {used} addresses behind them, all of ready pods")


@check(
    "SC-007.time",
    "No recorded outage was longer than 30 s",
    source="spec, SC-007: failed instances are detected and isolated within 30 seconds",
    severity="critical",
    vantage="lan",
    needs=["probes"],
    remedy="docs/explanation/failover.md says what each cause costs, and which timers bound it",
)
def isolated_in_time(_: Cluster, readings: Readings) -> Verdict:
    """What `pgha verify --watch` recorded: how long the LAN address took no connection, at the longest.

    That is detection, isolation and a new primary together. Without an outage there is nothing to judge.
    """
    seen: Seen = readings["probes"]
    if not seen.failed:
        return not_measured("no outage has been recorded; pgha verify --watch during a switchover records one")
    line = f"the longest of the outages recorded since {seen.first:%Y-%m-%d} took {seen.longest:.0f} s"
    return failed(line) if seen.longest > ISOLATED_SECONDS else passed(line)


@check(
    "EDGE-3",
    "A link that goes silent is noticed by both its ends",
    source="spec, edge case 3: network connectivity lost between the Kubernetes cluster and the database",
    needs=["instances"],
    remedy="set wal_sender_timeout and wal_receiver_timeout to something other than 0",
)
def silence(_: Cluster, readings: Readings) -> Verdict:
    """wal_sender_timeout and wal_receiver_timeout are on; clients get theirs from `pgha endpoints`."""
    found = {pod: facts["settings"] for pod, facts in readings["instances"].items() if "error" not in facts}
    if not found:
        return not_measured("no instance answered")
    names = ("wal_sender_timeout", "wal_receiver_timeout")
    faults = [f"{pod}: {name} is 0" for pod, settings in found.items() for name in names if settings[name] == "0"]
    slowest = max(int(settings[name]) for settings in found.values() for name in names) / 1000
    return verdict(faults, f"noticed within {slowest:.0f} s")


@check(
    "EDGE-7",
    "Kubernetes and the instances agree who the primary is",
    source="spec, edge case 7: network partition between database cluster members",
    severity="critical",
    needs=["instances", "primary"],
    remedy="docs/runbooks/split-brain.md",
)
def agreement(_: Cluster, readings: Readings) -> Verdict:
    """After a partition the two opinions differ first: writes go to one, followers to the other."""
    named = readings["primary"]
    primaries = [pod for pod, facts in readings["instances"].items() if facts.get("in_recovery") is False]
    if isinstance(named, Missing) or named is None:
        return not_applicable("Kubernetes keeps no record of it with this engine; FR-005.primary asks the instances")
    return (
        passed(f"{named}, by both")
        if primaries == [named]
        else failed(f"Kubernetes names {named}; the instances that take writes: {', '.join(primaries) or 'none'}")
    )
