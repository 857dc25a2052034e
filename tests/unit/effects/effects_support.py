"""Clusters that differ in one key, and what they become."""

from copy import deepcopy
from fnmatch import fnmatch
from typing import Any

import yaml

from pgha.config import Cluster, load_text
from pgha.engines import engine_of
from pgha.engines.base import NotBuiltError
from pgha.engines.effects import Effect
from pgha.resources.metadata import describe

BASE: dict[str, dict[str, Any]] = {
    "cloudnative-pg": {
        "name": "demo",
        "namespace": "demo",
        "delivery": "tofu",
        "databases": [{"name": "app", "owner": "app"}, {"name": "more", "owner": "app"}],
        "users": [{"name": "app"}, {"name": "guest", "databases": ["app"]}],
        "postgresql": {"parameters": {"max_connections": 400}},
        "storage": {"storageClass": "fast", "walSize": "20Gi"},
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}},
        "network": {
            "loadBalancer": {
                "address": "192.168.10.100",
                "hostname": "db.example.com",
                "pool": {"addresses": ["192.168.10.100-192.168.10.110"]},
            }
        },
        "pooler": {"instances": 2, "mode": "session", "poolSize": 5, "perApplication": ["app"]},
        "replication": {"mode": "sync", "synchronousStandbys": 1},
    },
    "bitnami": {
        "name": "demo",
        "namespace": "demo",
        "engine": "bitnami",
        "delivery": "tofu",
        "databases": [{"name": "app", "owner": "app"}, {"name": "more", "owner": "app"}],
        "users": [{"name": "app"}, {"name": "guest", "databases": ["app"]}],
        "postgresql": {"parameters": {"max_connections": 400}},
        "storage": {"storageClass": "fast"},
        "network": {
            "loadBalancer": {
                "address": "192.168.10.100",
                "hostname": "db.example.com",
                "pool": {"addresses": ["192.168.10.100-192.168.10.110"]},
            }
        },
        "pooler": {"instances": 2, "maxClientConnections": 128, "poolSize": 1},
        "replication": {"mode": "sync", "synchronousStandbys": 1},
        "backup": {},
    },
}

GONE = object()


def made(engine: str, **changed: object) -> Cluster:
    """The engine's base, changed: `storage__size="60Gi"`, `users__1__databases=[]`, GONE to leave a key out."""
    data = deepcopy(BASE[engine])
    for path, value in changed.items():
        *above, last = (int(step) if step.isdigit() else step for step in path.split("__"))
        inside: Any = data
        for step in above:
            inside = inside[step] if isinstance(step, int) else inside.setdefault(step, {})
        if value is GONE:
            del inside[last]
        elif isinstance(last, int) and last == len(inside):
            inside.append(value)
        else:
            inside[last] = value
    return load_text(yaml.safe_dump(data).encode(), "demo.yaml")


def objects(cluster: Cluster) -> dict[str, object]:
    """What the engine makes of a cluster, by `Kind namespace/name`; None where it is not built yet."""
    engine = engine_of(cluster)
    found: dict[str, object] = {describe(obj): obj for obj in engine.objects(cluster)}
    found |= {f"Secret {secret.namespace}/{secret.name}": secret for secret in engine.secrets(cluster)}
    release = engine.release(cluster)
    return found | ({"release": release.values} if release else {})


def built(cluster: Cluster) -> bool:
    """Whether the engine can make it yet."""
    try:
        engine_of(cluster).objects(cluster)
    except NotBuiltError:
        return False
    return True


def unstated(before: Cluster, after: Cluster, effects: list[Effect]) -> set[str]:
    """Objects that differ and that no effect names."""
    old, new = objects(before), objects(after)
    differing = {name for name in {*old, *new} if old.get(name) != new.get(name)} - {"release"}
    stated = [name for effect in effects for name in effect.objects]
    return {name for name in differing if not any(fnmatch(name, pattern) for pattern in stated)}
