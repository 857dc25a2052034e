"""How soon Kubernetes believes that a node is dead: as it comes, or as a database wants it.

Every stock value below is from the Kubernetes 1.36 reference of the program it belongs to.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Timers:
    """Arguments and configuration by program, values as YAML; empty means the program's own defaults."""

    api_server: dict[str, str] = field(default_factory=dict)
    controller_manager: dict[str, str] = field(default_factory=dict)
    kubelet: dict[str, str | int] = field(default_factory=dict)


Pace = Literal["stock", "fast"]

TIMERS: dict[Pace, Timers] = {
    "stock": Timers(),
    "fast": Timers(
        # Pods leave a dead node after 30 s; stock 300.
        api_server={
            "default-not-ready-toleration-seconds": "30",
            "default-unreachable-toleration-seconds": "30",
        },
        # A node is dead after 8 s of silence, looked at every second; stock 50 and 5.
        controller_manager={"node-monitor-grace-period": "8s", "node-monitor-period": "1s"},
        # A kubelet renews its lease every quarter of this, so every 2 s; stock 40, so every 10 s. The fourth that is
        # lost in a row makes the node a dead one.
        kubelet={
            "nodeLeaseDurationSeconds": 8,
            "nodeStatusUpdateFrequency": "4s",
            # A switchover ends the old primary's container, and after its sixth in ten minutes it would wait 300 s
            # until it is started again.
            "crashLoopBackOff": "{maxContainerRestartPeriod: 10s}",
        },
    ),
}
"""By the name that `lab up --timers` takes."""
