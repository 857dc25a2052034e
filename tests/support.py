"""What tests share: cluster files, committed ones and small ones that differ in the keys a test names; the program."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pgha.config import load
from pgha.config.model import Cluster

ROOT = Path(__file__).resolve().parents[1]


def lab() -> Cluster:
    """clusters/lab.yaml."""
    return load(ROOT / "clusters" / "lab.yaml")


def sample(**changes: Any) -> Cluster:
    """A small cloudnative-pg cluster `db` in namespace `db-ns`, with top-level keys replaced (snake_case)."""
    base: dict[str, Any] = {
        "name": "db",
        "namespace": "db-ns",
        "delivery": "tofu",
        "monitoring": {"enabled": False},
        "network": {"networks": ["10.0.0.0/8"]},
    }
    return Cluster.model_validate(base | changes)


def balancer(**changes: Any) -> dict[str, Any]:
    """`network` with a load balancer on 192.168.10.100."""
    pool = {"addresses": ["192.168.10.100-192.168.10.110"]}
    return {"networks": ["10.0.0.0/8"], "loadBalancer": {"address": "192.168.10.100", "pool": pool} | changes}


def postgres_ha() -> Cluster:
    """clusters/postgres-ha.yaml."""
    return load(ROOT / "clusters" / "postgres-ha.yaml")


def anywhere(cluster: Cluster) -> Cluster:
    """The same with a collation that every machine has."""
    databases = [database.model_copy(update={"collation": "C.UTF-8"}) for database in cluster.databases]
    return cluster.model_copy(update={"databases": databases})


def trio(**changes: Any) -> Cluster:
    """A small bitnami cluster `trio` of three in namespace `trio-ns`, with top-level keys replaced (snake_case)."""
    return sample(**{"name": "trio", "namespace": "trio-ns", "engine": "bitnami"} | changes)


def pgha(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program from the repository, with nothing on standard input."""
    command = [sys.executable, "-c", "from pgha.cli import main; main()", *words]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
