"""The plan's principles, as far as a running cluster can show them."""

from typing import Any

from pgha.config.model import Cluster
from pgha.verify.checks.topology import data_pods
from pgha.verify.readings import Missing, Readings
from pgha.verify.registry import Verdict, check, failed, not_applicable, not_measured, verdict


@check(
    "P-I",
    "The server runs with the parameters of the file",
    source="plan, Principle I: infrastructure as code; data-model, max_connections and the rest",
    needs=["instances"],
    remedy="ALTER SYSTEM and ALTER ROLE … SET win over the file: reset them, then pgha up",
)
def parameters(cluster: Cluster, readings: Readings) -> Verdict:
    """Each parameter of the file, on every instance, compared in the server's own unit."""
    found = {pod: facts for pod, facts in readings["instances"].items() if "error" not in facts}
    if not found:
        return not_measured("no instance answered")
    wanted, faults = cluster.postgresql.settings, []
    for pod, facts in found.items():
        for name, value in wanted.items():
            live = (facts["settings"] or {}).get(name)
            if live is None:
                faults.append(f"{pod} knows no {name}")
            elif not _same(value, live, (facts["units"] or {}).get(name)):
                faults.append(f"{pod}: {name} is {live}{(facts['units'] or {}).get(name, '')}, the file says {value}")
    return verdict(faults, f"{len(wanted)} parameters of the file, on {len(found)} instances")


_BYTES = {
    "B": 1.0,
    "kB": 1024.0,
    "8kB": 8192.0,
    "MB": 1024.0**2,
    "16MB": 16 * 1024.0**2,
    "GB": 1024.0**3,
    "TB": 1024.0**4,
}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _same(wanted: str, live: str, unit: str | None) -> bool:
    """Whether a value as a person writes it is what pg_settings shows, in its own unit."""
    if wanted.strip().lower() == live.strip().lower():
        return True
    table = _BYTES if unit in _BYTES else _SECONDS
    number = wanted.strip().rstrip("BkKMGTusminhd ")
    suffix = wanted.strip()[len(number) :].strip() or unit or ""
    try:
        return abs(float(number) * table.get(suffix, 1.0) - float(live) * table.get(unit or "", 1.0)) < 1e-9
    except ValueError:
        return False


@check(
    "P-III",
    "Every container has a pinned image and probes",
    source="plan, Principle III: container-first development, health checks",
    needs=["pods"],
    remedy="the engine sets both: find out who made the pod",
)
def containers(cluster: Cluster, readings: Readings) -> Verdict:
    """No `latest`, no image without tag or digest; readiness and liveness probes on the server's container."""
    faults, pods = [], data_pods(cluster, readings["pods"])
    for pod in pods:
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            image = str(container.get("image"))
            tag = image.rpartition("/")[2].partition(":")[2]
            if "@" not in image and tag in {"", "latest"}:
                faults.append(f"{name}: image {image} is not pinned")
        server = pod["spec"]["containers"][0]
        faults += [f"{name}: container {server['name']} has no {probe}" for probe in _PROBES if probe not in server]
    return verdict(faults, f"{len(pods)} pods") if pods else failed("there is no pod of an instance")


_PROBES = ("readinessProbe", "livenessProbe")


@check(
    "P-IV.alerts",
    "The six alerts are loaded",
    source="data-model, Alerts Configured; plan, Principle IV",
    needs=["rules"],
    remedy="pgha up makes the PrometheusRule; Prometheus selects it by monitoring.labels",
)
def alerts(cluster: Cluster, readings: Readings) -> Verdict:
    """A PrometheusRule of this namespace that Prometheus selects, with an alert for each of the seed's."""
    if not cluster.monitoring.enabled:
        return not_applicable("the file has monitoring.enabled: false")
    labels = cluster.monitoring.labels.items()
    chosen = [rule for rule in readings["rules"] if labels <= (rule["metadata"].get("labels") or {}).items()]
    names = {
        str(entry["alert"])
        for rule in chosen
        for group in rule["spec"].get("groups") or []
        for entry in group.get("rules") or []
        if "alert" in entry
    }
    lacking = [topic for topic in _TOPICS if not any(topic in name.lower() for name in names)]
    line = f"{len(names)} alerts in {len(chosen)} PrometheusRules"
    return failed(f"{line}; none about {', '.join(lacking)}") if lacking else verdict([], line)


_TOPICS = ("lag", "storage", "connections", "down")
"""Words that the names of the seed's alerts hold: two of lag, two of storage, connections, an instance that is down."""


@check(
    "P-IV.metrics",
    "Every instance tells its metrics",
    source="data-model, Exposes: 1+ Metrics endpoints; plan, Principle IV",
    vantage="pod",
    needs=["pod.metrics"],
    remedy="look at the exporter's container, and at the NetworkPolicy for port 9187",
)
def metrics(cluster: Cluster, readings: Readings) -> Verdict:
    """Port 9187 of each instance, asked from a pod as Prometheus does."""
    if not cluster.monitoring.enabled:
        return not_applicable("the file has monitoring.enabled: false")
    faults, fine = [], []
    for each in readings["pod.metrics"]["exporters"]:
        if not each.get("samples"):
            faults.append(f"{each['url']}: {each.get('error') or 'nothing about PostgreSQL'}")
        else:
            fine.append(f"{each['url']}: {each['samples']} samples")
    return verdict(faults, *fine) if faults or fine else not_measured("no instance has an address")


@check(
    "P-V",
    "Pods are limited, unprivileged, and guarded by a policy",
    source="plan, Principle V: security hardening",
    needs=["pods", "policies"],
    remedy="pgha up makes the policy; the engine sets the rest",
)
def hardened(cluster: Cluster, readings: Readings) -> Verdict:
    """Each server's container has limits and may not gain privileges; a NetworkPolicy selects the instances."""
    faults, pods = [], data_pods(cluster, readings["pods"])
    for pod in pods:
        name, server = pod["metadata"]["name"], pod["spec"]["containers"][0]
        limits = (server.get("resources") or {}).get("limits") or {}
        wanted = cluster.resources.limits.model_dump(exclude_none=True)
        faults += [f"{name} has no limit of {what}" for what in wanted if what not in limits]
        if any(_is_privileged(each) for each in pod["spec"]["containers"]):
            faults.append(f"{name} has a container that may gain privileges")
        if cluster.network.network_policy and not _is_guarded(pod, readings["policies"]):
            faults.append(f"no NetworkPolicy selects {name}")
    return verdict(faults, f"{len(pods)} pods: limited, unprivileged, guarded") if pods else not_measured("no pods")


def _is_privileged(container: dict[str, Any]) -> bool:
    context = container.get("securityContext") or {}
    return bool(context.get("privileged") or context.get("allowPrivilegeEscalation", True))


def _is_guarded(pod: dict[str, Any], policies: list[dict[str, Any]] | Missing) -> bool:
    labels = (pod["metadata"].get("labels") or {}).items()
    return not isinstance(policies, Missing) and any(
        (policy["spec"].get("podSelector") or {}).get("matchLabels", {}).items() <= labels for policy in policies
    )


@check(
    "P-VI",
    "A drain of nodes takes one instance at a time",
    source="plan, Principle VI: high availability architecture",
    needs=["pods", "budgets"],
    remedy="pgha up: the engine makes the PodDisruptionBudget",
)
def budget(cluster: Cluster, readings: Readings) -> Verdict:
    """PodDisruptionBudgets select all instances but one at most: that one may go, and then no other."""
    pods = data_pods(cluster, readings["pods"])
    free = [
        pod["metadata"]["name"]
        for pod in pods
        if not any(
            each["spec"].get("selector", {}).get("matchLabels", {}).items()
            <= (pod["metadata"].get("labels") or {}).items()
            for each in readings["budgets"]
        )
    ]
    if not pods:
        return not_measured("no pods")
    return verdict(
        [f"no PodDisruptionBudget selects {' and '.join(free)}"] if len(free) > 1 else [],
        f"{len(pods) - len(free)} of {len(pods)} pods under one",
    )


@check(
    "P-VIII",
    "Every alert names its runbook",
    source="plan, Principle VIII: documentation first",
    severity="minor",
    needs=["rules"],
    remedy="pgha up writes the PrometheusRule with its runbooks",
)
def runbooks(cluster: Cluster, readings: Readings) -> Verdict:
    """An alert at night without a page to open is half an alert."""
    if not cluster.monitoring.enabled:
        return not_applicable("the file has monitoring.enabled: false")
    entries = [
        entry
        for rule in readings["rules"]
        for group in rule["spec"].get("groups") or []
        for entry in group.get("rules") or []
        if "alert" in entry
    ]
    faults = [f"{each['alert']} names no runbook" for each in entries if not _names_runbook(each)]
    return verdict(faults, f"{len(entries)} alerts, each with its page") if entries else failed("there is no alert")


def _names_runbook(alert: dict[str, Any]) -> bool:
    return any(key.startswith("runbook") and value for key, value in (alert.get("annotations") or {}).items())


@check(
    "P-IX",
    "Clients reach it at port 5432 of its Services, and only there",
    source="plan, Principle IX: network-first security; data-model, Port Consistency",
    needs=["services", "pods"],
    remedy="delete the Service that does not belong to it, or the pod that shares its node's network",
)
def one_port(cluster: Cluster, readings: Readings) -> Verdict:
    """No instance shares its node's network or a port of it, and no Service offers another port to clients outside."""
    faults = []
    for pod in data_pods(cluster, readings["pods"]):
        ports = [port.get("hostPort") for each in pod["spec"]["containers"] for port in each.get("ports") or []]
        if pod["spec"].get("hostNetwork") or any(ports):
            faults.append(f"{pod['metadata']['name']} can be reached at its node's address")
    for live in readings["services"]:
        ports = [port["port"] for port in live["spec"].get("ports") or []]
        if live["spec"].get("type") == "LoadBalancer" and ports != [cluster.network.port]:
            faults.append(f"Service {live['metadata']['name']} offers port {', '.join(map(str, ports))}")
    return verdict(faults, f"{len(readings['services'])} Services")
