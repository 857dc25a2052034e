"""Keeping out: wrong credentials, networks that the file does not list, and the rest of the world."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pgha.config.model import Cluster
from pgha.engines import engine_of
from pgha.verify.readings import Readings
from pgha.verify.registry import Verdict, check, failed, not_applicable, not_measured, passed, verdict

_NOT_ADMITTED = {"28P01", "28000", "3D000", "08P01"}
"""SQLSTATEs that are a server's or a proxy's no: password, authorization, database, and PgBouncer's one."""
_UNPROVEN = {"trust", "ident"}
OPEN = (
    "this engine's servers admit every address by password; its proxy's rules (FR-010 compares them with the plan) and "
    "NetworkPolicies (P-V) keep networks out"
)


def _refused(facts: dict[str, Any]) -> Verdict:
    lines: dict[str, list[str]] = {"in": [], "silent": [], "refused": []}
    for name, attempt in facts["attempts"].items():
        if attempt["connected"]:
            lines["in"].append(f"{name}: let in")
        elif attempt["sqlstate"] is None:
            lines["silent"].append(f"{name}: {attempt['error']}")
        else:
            lines["refused"].append(f"{name}: {attempt['error']}")
    if lines["in"]:
        return failed(*lines["in"])
    return not_measured(f"nobody answered: {lines['silent'][0]}") if lines["silent"] else passed(*lines["refused"])


@check(
    "FR-006.pod",
    "From a pod, wrong credentials are refused",
    source="spec, FR-006: authenticate all connection attempts using credentials",
    severity="critical",
    vantage="pod",
    needs=["pod.refusals"],
    remedy="look for trust in pg_hba_file_rules, and at the pooler's own rules",
)
def pod_refused(_: Cluster, readings: Readings) -> Verdict:
    """A wrong password, nobody's name, the superuser without a password, and no TLS where the file requires it."""
    return _refused(readings["pod.refusals"])


@check(
    "FR-006.lan",
    "From the LAN, wrong credentials are refused",
    source="spec, FR-006; user story 2, scenario 3: invalid credentials are rejected",
    severity="critical",
    vantage="lan",
    needs=["lan.refusals"],
    remedy="look for trust in pg_hba_file_rules, and at the pooler's own rules",
)
def lan_refused(_: Cluster, readings: Readings) -> Verdict:
    """A wrong password, nobody's name, the superuser without a password, and no TLS where the file requires it."""
    return _refused(readings["lan.refusals"])


@check(
    "FR-006.methods",
    "No rule lets anybody in from a network without a proof",
    source="spec, FR-006",
    severity="critical",
    needs=["instances"],
    remedy="remove the rule; pgha up writes those of the file again",
)
def methods(_: Cluster, readings: Readings) -> Verdict:
    """pg_hba_file_rules of every instance: no trust on a network, and no line that the server could not read."""
    faults, counted = [], 0
    for pod, rule in _rules(readings):
        counted += 1
        if rule["error"]:
            faults.append(f"{pod}, line {rule['line']}: {rule['error']}")
        elif rule["type"] != "local" and rule["method"] in _UNPROVEN:
            faults.append(f"{pod}, line {rule['line']}: {_text(rule)}")
    return verdict(faults, f"{counted} rules read") if counted else not_measured("no instance answered")


def _rules(readings: Readings) -> list[tuple[str, dict[str, Any]]]:
    return [(pod, rule) for pod, facts in readings["instances"].items() for rule in facts.get("hba") or []]


def _text(rule: dict[str, Any]) -> str:
    parts = [rule["type"], ",".join(rule["database"] or []), ",".join(rule["user"] or [])]
    return " ".join([*parts, *(str(rule[key]) for key in ("address", "netmask") if rule[key]), rule["method"] or "?"])


@check(
    "FR-007.networks",
    "Only the networks of the file are let in",
    source="spec, FR-007: authorized clients from the Kubernetes cluster and internal network only",
    severity="critical",
    needs=["instances"],
    remedy="remove the rule; pgha up writes those of the file again",
)
def networks(cluster: Cluster, readings: Readings) -> Verdict:
    """pg_hba_file_rules of every instance.

    Lines after the first that rejects everybody can let nobody in. Those that admit by certificate alone are for
    replication and poolers, and lines for named replication roles are the engine's own.
    """
    if engine_of(cluster).shell(cluster).open_by_password:
        return not_applicable(OPEN)
    allowed = [ip_network(text) for text in cluster.network.networks]
    faults, pods = [], set()
    for pod, facts in readings["instances"].items():
        for rule in facts.get("hba") or []:
            pods.add(pod)
            if _rejects_all(rule):
                break
            if _admits_users(cluster, rule) and not _is_within(rule, allowed):
                faults.append(f"{pod}, line {rule['line']}: {_text(rule)}")
    if not pods:
        return not_measured("no instance answered")
    return verdict(faults, f"on {len(pods)} instances: {', '.join(cluster.network.networks)}, then nobody")


def _rejects_all(rule: dict[str, Any]) -> bool:
    everybody = rule["database"] == ["all"] and rule["user"] == ["all"] and rule["address"] in {"all", "0.0.0.0"}  # noqa: S104
    return bool(rule["type"] == "host" and rule["method"] == "reject" and everybody)


def _admits_users(cluster: Cluster, rule: dict[str, Any]) -> bool:
    """Whether it lets in somebody whom the file knows, or everybody, over a network and by password or less."""
    if rule["type"] == "local" or rule["method"] in {"reject", "cert"} or rule["database"] == ["replication"]:
        return False
    names = set(rule["user"] or [])
    return "all" in names or bool(names & {user.name for user in cluster.users})


def _is_within(rule: dict[str, Any], allowed: list[IPv4Network | IPv6Network]) -> bool:
    if rule["address"] in {"samehost", "127.0.0.1", "::1"}:
        return True
    try:
        network = ip_network(f"{rule['address']}/{rule['netmask']}")
    except ValueError:
        return False
    return any(network.version == each.version and network.subnet_of(each) for each in allowed)  # type: ignore[arg-type]


@check(
    "FR-007.stranger",
    "A client from an address that the file does not list is turned away",
    source="spec, FR-007; data-model, Network Isolation",
    severity="critical",
    needs=["loopback"],
    remedy="pg_hba must end with a line that rejects everybody: pgha up writes it",
)
def stranger(cluster: Cluster, readings: Readings) -> Verdict:
    """A real attempt: from inside an instance's pod to its own 127.0.0.1, which no file lists.

    A server that asks for a password has let the address in.
    """
    if any(ip_network(text).overlaps(IPv4Network("127.0.0.0/8")) for text in _ipv4(cluster)):
        return not_measured("the file lists 127.0.0.0/8 itself")
    said = str(readings["loopback"])
    if "pg_hba.conf" in said:
        return passed(said)
    return failed(f"from 127.0.0.1 the server did not turn the client away: {said}")


def _ipv4(cluster: Cluster) -> list[str]:
    return [text for text in cluster.network.networks if ":" not in text]


@check(
    "FR-007.balancer",
    "The LAN address takes connections from the networks of the file alone",
    source="spec, FR-007; data-model, Network Isolation",
    severity="critical",
    needs=["services"],
    remedy="pgha up sets loadBalancerSourceRanges again",
)
def balancer(cluster: Cluster, readings: Readings) -> Verdict:
    """The source ranges of every LoadBalancer Service in the namespace."""
    found = [live for live in readings["services"] if live["spec"].get("type") == "LoadBalancer"]
    wanted = sorted(cluster.network.networks)
    faults = [
        f"Service {live['metadata']['name']}: {live['spec'].get('loadBalancerSourceRanges') or 'everybody'}"
        for live in found
        if sorted(live["spec"].get("loadBalancerSourceRanges") or []) != wanted
    ]
    return verdict(faults, f"{len(found)} Services admit {', '.join(wanted)}" if found else "there is no such Service")


@check(
    "FR-007.public",
    "Nothing of it can be reached from the internet",
    source="spec, Constraints: no public internet access; plan, Principle IX",
    severity="critical",
    needs=["services"],
    remedy="delete the Service, or give it an address of the internal network",
)
def public(cluster: Cluster, readings: Readings) -> Verdict:
    """No public address, no port on the nodes, no Service beside those of the plan that leads outside."""
    promised = {end.service for end in engine_of(cluster).endpoints(cluster) if end.vantage == "lan"}
    faults = []
    for live in readings["services"]:
        name, spec = live["metadata"]["name"], live["spec"]
        ingress = (live.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        addresses = [entry["ip"] for entry in ingress if entry.get("ip")] + list(spec.get("externalIPs") or [])
        faults += [f"Service {name} has the public address {each}" for each in addresses if ip_network(each).is_global]
        ports = [port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort")]
        if ports:
            faults.append(f"Service {name} opens port {', '.join(map(str, ports))} on every node")
        if spec.get("type") in {"LoadBalancer", "NodePort"} and name not in promised:
            faults.append(f"Service {name} leads outside, and the file promises none of that name")
    return verdict(faults, f"{len(readings['services'])} Services looked at; outside: {', '.join(promised) or 'none'}")
