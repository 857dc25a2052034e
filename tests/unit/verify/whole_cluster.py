"""Readings of a cluster that keeps every promise, in the shapes that the lab's real ones have; tests break them."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from pgha.config.model import Cluster
from pgha.engines import engine_of
from pgha.engines.backups import Backup
from pgha.engines.base import Readiness
from pgha.verify.ledger import Seen
from tests.support import balancer, sample, trio

Readings = dict[str, Any]

MONITORED: dict[str, Any] = {"enabled": True, "labels": {"release": "prometheus"}}


def operated(**changes: Any) -> Cluster:
    """Three instances run by CloudNativePG, with a LAN address, one parameter, and Prometheus."""
    wanted = {
        "network": balancer(),
        "monitoring": MONITORED,
        "postgresql": {"version": "17", "parameters": {"max_connections": 120, "work_mem": "8MB"}},
    }
    return sample(**wanted | changes)


def charted(**changes: Any) -> Cluster:
    """The same, run by the chart postgresql-ha."""
    wanted = {
        "network": balancer(),
        "monitoring": MONITORED,
        "postgresql": {"version": "16", "parameters": {"max_connections": 150, "work_mem": "8MB"}},
        "users": [{"name": "app"}],
    }
    return trio(**wanted | changes)


def readings(cluster: Cluster) -> Readings:
    """Everything as it should be. A deep copy each time."""
    return copy.deepcopy(_objects(cluster) | _answers(cluster) | _measured(cluster))


def _meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "uid": f"uid-{name}"} | more


def _objects(cluster: Cluster) -> Readings:
    names = [f"{cluster.name}-{number}" for number in (1, 2, 3)]
    labels = dict(engine_of(cluster).instances(cluster))
    container = {
        "name": engine_of(cluster).shell(cluster).container,
        "image": "registry.example.com/postgresql:17.11",
        "readinessProbe": {},
        "livenessProbe": {},
        "resources": {"limits": {"cpu": "2", "memory": "4Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False},
        "ports": [{"containerPort": 5432}],
    }
    pods = [
        {
            "metadata": _meta(name, labels=labels, ownerReferences=[{"kind": "X", "controller": True}]),
            "spec": {
                "nodeName": f"n{number}",
                "containers": [container],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
            },
            "status": {
                "podIP": f"10.244.{number}.7",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "postgres", "restartCount": 0, "state": {"running": {}}}],
            },
        }
        for number, name in enumerate(names, start=1)
    ]
    storage = cluster.storage
    claims = [
        {
            "metadata": _meta(name),
            "spec": {
                "storageClassName": storage.storage_class,
                "accessModes": [storage.access_mode],
                "volumeName": f"pv-{name}",
                "resources": {"requests": {"storage": storage.size}},
            },
            "status": {"phase": "Bound", "capacity": {"storage": storage.size}},
        }
        for name in names
    ]
    ends = engine_of(cluster).endpoints(cluster)
    services = [
        {
            "metadata": _meta(end.service),
            "spec": {"clusterIP": f"10.96.0.{number}", "type": "ClusterIP", "ports": [{"port": end.port}]}
            | (
                {"type": "LoadBalancer", "loadBalancerSourceRanges": list(cluster.network.networks)}
                if end.vantage == "lan"
                else {}
            ),
            "status": {"loadBalancer": {"ingress": [{"ip": end.host}]} if end.vantage == "lan" else {}},
        }
        for number, end in enumerate(ends, start=1)
    ]
    slices = [
        {
            "metadata": {"labels": {"kubernetes.io/service-name": end.service}},
            "endpoints": [{"addresses": ["10.244.1.7"], "conditions": {"ready": True}}],
        }
        for end in ends
    ]
    alerts = ("ReplicationLag", "StorageUsage", "ConnectionsHigh", "InstanceDown")
    rules = [{"alert": f"Postgresql{name}", "annotations": {"runbook": "docs/runbooks/x.md"}} for name in alerts]
    return {
        "pods": pods,
        "claims": claims,
        "volumes": [
            {"metadata": _meta(f"pv-{name}"), "spec": {"persistentVolumeReclaimPolicy": "Delete"}} for name in names
        ],
        "classes": [{"metadata": _meta(storage.storage_class), "reclaimPolicy": "Delete"}],
        "services": services,
        "slices": slices,
        "policies": [{"metadata": _meta("p"), "spec": {"podSelector": {"matchLabels": labels}}}],
        "budgets": [{"metadata": _meta("b"), "spec": {"selector": {"matchLabels": labels}}}],
        "rules": [
            {
                "metadata": _meta("r", labels=dict(cluster.monitoring.labels)),
                "spec": {"groups": [{"rules": [*rules, {"record": "x", "expr": "1"}]}]},
            }
        ],
    }


def instance(cluster: Cluster, *, primary: bool) -> dict[str, Any]:
    """What one instance says, as the lab's did on 2026-11-21."""
    parameters = dict(cluster.postgresql.settings) | {"work_mem": "8192"}
    rule = {"type": "host", "database": ["all"], "user": ["all"], "error": None, "line": 2}
    return {
        "in_recovery": not primary,
        "version": f"{cluster.postgresql.version}.11 (Debian)",
        "system": "7710681020503425045",
        "timeline": 1,
        "position": 1000,
        "received": None if primary else 1000,
        "replay_paused": None if primary else False,
        "replay_age": None if primary else 4000.0,
        "receiver": None if primary else {"status": "streaming", "sender": "db-rw"},
        "standbys": [{"name": f"db-{n}", "state": "streaming", "sync": "async"} for n in (2, 3)] if primary else None,
        "clients": 2,
        "max_connections": 120,
        "bytes": 120_000_000,
        "settings": {
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "superuser_reserved_connections": "3",
            "synchronous_commit": "on",
            "synchronous_standby_names": "",
            "wal_receiver_timeout": "5000",
            "wal_sender_timeout": "5000",
        }
        | parameters,
        "units": {"work_mem": "kB", "wal_sender_timeout": "ms"},
        "pending_restart": None,
        "checksum_failures": 0,
        "archiver": {"segment": "0" * 23 + "9", "at": "2026-11-21T17:00Z", "failed_segment": None, "failed_at": None},
        "hba": [
            {"type": "local", "database": ["all"], "user": ["all"], "address": None, "netmask": None,
             "method": "peer", "error": None, "line": 1},
            rule | {"address": "10.0.0.0", "netmask": "255.0.0.0", "method": "scram-sha-256"},
            rule | {"address": "all", "netmask": None, "method": "reject"},
            rule | {"address": "all", "netmask": None, "method": "scram-sha-256"},
        ],
        "databases": [
            {"name": each.name, "owner": each.owner, "encoding": each.encoding, "collation": each.collation}
            for each in cluster.databases
        ],
        "roles": [
            {"name": user.name, "superuser": False, "login": True, "limit": -1, "password": "scram-sha-256"}
            for user in cluster.users
        ],
    }  # fmt: skip


def _answers(cluster: Cluster) -> Readings:
    names = [f"{cluster.name}-{number}" for number in (1, 2, 3)]
    now = datetime.now(UTC)
    backup = Backup(
        name="daily", phase="done", on_demand=False, finished=now - timedelta(hours=3), end_wal="0" * 23 + "8"
    )
    return {
        "instances": {name: instance(cluster, primary=number == 0) for number, name in enumerate(names)},
        "primary": engine_of(cluster).primary(cluster, lambda *_: {"status": {"currentPrimary": names[0]}}),
        "readiness": Readiness(ready=True, summary="3 of 3 instances ready"),
        "drift": [
            {"object": f"Cluster {cluster.name}", "exists": True, "differs": [], "refused": "", "hands": []},
        ],
        "secrets": {
            user.name: {
                "secret": cluster.secret_name(user),
                "exists": True,
                "keys": ["password", "username"],
                "username": user.name,
            }
            for user in cluster.users
        },
        "files": {"tracked": True, "modified": False, "commit": "abc", "age": 86400.0},
        "application": {
            "status": {
                "sync": {"status": "Synced"},
                "health": {"status": "Healthy"},
                "operationState": {"startedAt": "2026-11-21T10:00:00Z", "finishedAt": "2026-11-21T10:01:00Z"},
            }
        },
        "backups": {"known": [backup], "trouble": ""},
        "loopback": 'pg_hba.conf rejects connection for host "127.0.0.1", user "app"',
        "probes": Seen(first=now - timedelta(days=30), minutes=43_200, succeeded=518_000, failed=100, longest=25),
        "rows": {"acknowledged": {"lan": 200, "pod": 200}, "errors": [], "missing": {name: [] for name in names}},
        "before": {"cluster": cluster.name, "at": "2026-11-20T10:00:00+00:00", "endpoints": _published(cluster)},
    }


def _published(cluster: Cluster) -> dict[str, Any]:
    found = {}
    for number, end in enumerate(engine_of(cluster).endpoints(cluster), start=1):
        found[end.service] = {
            "uid": f"uid-{end.service}",
            "clusterIP": f"10.96.0.{number}",
            "addresses": [end.host] if end.vantage == "lan" else [],
            "ports": [end.port],
        }
    return found


def load(*, connections: int = 10, slowest: float = 20.0) -> dict[str, Any]:
    """Four hundred statements, the slowest of them that slow (ms)."""
    times = sorted([1.0] * 360 + [slowest] * 40)
    return {"connections": connections, "rate": 100.0, "statements": 400, "seconds": 4.0, "milliseconds": times,
            "errors": [], "failed": 0, "own_table": False}  # fmt: skip


def _measured(cluster: Cluster) -> Readings:
    found: Readings = {}
    for vantage, ours in (("pod", "cluster"), ("lan", "lan")):
        ends = [end for end in engine_of(cluster).endpoints(cluster) if end.vantage == ours]
        answer = {"user": "app", "database": "app", "tls": "TLSv1.3"}
        found |= {
            f"{vantage}.connections": {
                "endpoints": [
                    {
                        "host": end.host,
                        "port": end.port,
                        "seconds": [0.02, 0.03],
                        "answers": [answer | {"in_recovery": end.role == "read-only"}] * 2,
                        "errors": [],
                    }
                    for end in ends
                ]
            },
            f"{vantage}.logins": {"logins": [{"user": "app", "database": "app", "answer": answer}]},
            f"{vantage}.refusals": {
                "attempts": {
                    "wrong password": {
                        "connected": False,
                        "error": "password authentication failed",
                        "sqlstate": "28P01",
                    }
                }
            },
            f"{vantage}.concurrent": {"opened": 20, "refused": []},
            f"{vantage}.mixed": load(),
        }
    found["pod.hundred"] = {
        "room": {"limit": 117, "used": 2, "free": 115},
        "few": load(),
        "many": load(connections=100),
        "opened": 100,
        "refused": [],
        "refusals": 0,
    }
    found["pod.limit"] = {
        "opened": 115,
        "refusal": {"error": "sorry, too many clients already", "sqlstate": "53300"},
        "afterwards": {"connected": True},
    }
    found["pod.metrics"] = {"exporters": [{"url": "http://10.244.1.7:9187/metrics", "samples": 300}]}
    return found
