"""The instances as one table: who they are, where they run, and how far behind."""

from typing import Any

from pgha.config.model import Cluster
from pgha.resources.pods import is_ready
from pgha.verify.checks.topology import data_pods, lag
from pgha.verify.readings import Missing, Readings


def members(cluster: Cluster, readings: Readings) -> list[dict[str, Any]]:
    """One entry per instance: pod, node, ready, role (null where it was not asked), lag (s)."""
    pods, asked = readings["pods"], readings.get("instances")
    found = []
    for pod in [] if isinstance(pods, Missing) else data_pods(cluster, pods):
        name = pod["metadata"]["name"]
        facts = asked.get(name, {}) if isinstance(asked, dict) else {}
        recovers = facts.get("in_recovery")
        found.append(
            {
                "pod": name,
                "node": pod["spec"].get("nodeName"),
                "ready": is_ready(pod),
                "role": None if recovers is None else "standby" if recovers else "primary",
                "lag": lag(facts) if recovers else None,
                "timeline": facts.get("timeline"),
            }
        )
    return found
