"""Cluster files of all kinds, for tests that ask a server about what becomes of them.

`FILES` draws a file that is right in most of its parts and takes up to two values from `ODD`, of which most are wrong:
what `pgha validate` lets through of these is what a user can apply. Namespace and addresses are the test's own.
"""

from typing import Any

import yaml
from hypothesis import strategies as st

from pgha.config import Cluster, ConfigError, load_text

NAMESPACE = "admission"
POOL = "192.168.78.100-192.168.78.110"

PARAMETERS: dict[str, list[Any]] = {
    "max_connections": [50, 200],
    "shared_buffers": ["128MB", "0.25GB", "131072kB", "256 MB", "16384", "1TB", "134217728B"],
    "work_mem": ["8MB", "1024kB"],
    "min_wal_size": ["80MB", "2GB", "96"],
    "max_wal_size": ["1GB", "1024", "2GB", "1.5GB"],
    "wal_level": ["replica", "logical", "minimal", "Logical"],
    "max_wal_senders": [0, 20],
    "hot_standby_feedback": [True, "on", "t", "maybe"],
    "wal_log_hints": [True, False, "off"],
    "sync_replication_slots": ["on", "no", "1"],
    "pg_failover_slots.synchronize_slot_names": ["name_like:%"],
    "pg_stat_statements.track": ["all"],
    "pgaudit.log": ["write, ddl"],
    "auto_explain.log_min_duration": ["1s"],
    "some.thing": ["it's", "a b", 1.5, ""],
    "some.thing.else": [1],
    "some-thing.x": [1],
    "log_line_prefix": ["%m [%p] "],
    "search_path": ['"$user", public'],
}

ODD: dict[str, list[Any]] = {
    "name": ["a", "a" * 50, "a" * 49, "a" * 51, "1a", "a.b", "x-"],
    "postgresql.version": ["13", "14", "15", "17", "18", "12"],
    "postgresql.image": [
        "example.com/postgresql:16.9", "example.com:5000/a/b:16.9-standard-trixie", "example.com/postgresql:latest",
        "example.com/postgresql", "example.com/postgresql@sha256:" + "a" * 64, "example.com/postgresql:sixteen",
        "example.com/postgresql:16.9@sha256:" + "a" * 64, "postgresql:16", "example.com/postgresql:v16.9",
        "example.com/postgresql:12.5", "example.com/postgresql:16.9.1", "example.com/postgresql:16-beta",
    ],
    "instances": [1, 2, 5, 9, 20],
    "replication": [
        {"mode": "sync"}, {"mode": "sync", "synchronousStandbys": 2}, {"mode": "sync", "synchronousStandbys": 9},
        {"mode": "sync", "durability": "preferred"},
    ],
    "resources.requests": [{"cpu": "4"}, {"memory": "8Gi"}, {"cpu": "100m", "memory": "300Mi"}, {"memory": "100M"}],
    "resources.limits": [{"cpu": "500m"}, {"memory": "1Gi"}, {"memory": "1.5Gi"}, {"memory": "1e9"}],
    "storage.size": ["50Gi", "100", "1Ti", "0", "50G", "0.5Ti", "1e12", "50 Gi", "50GB", "51200Mi"],
    "storage.walSize": ["1Gi", "2Gi", "100Mi", "10Gi", "0", "x"],
    "storage.storageClass": ["fast", "Fast", "a.b", "-", ""],
    "placement.topologyKey": ["topology.kubernetes.io/zone", "zone", "a b", "", "x/y/z", "a" * 70],
    "placement.nodeSelector": [{"disk": "ssd"}, {"a/b": ""}, {"a b": "c"}, {"disk": "a b"}, {"": "x"}],
    "network.loadBalancer": [
        {"address": "192.168.78.100", "pool": {"addresses": [POOL]}, "hostname": "db.example.com"},
        {"address": "192.168.78.100", "readOnlyAddress": "192.168.78.101", "pool": {"addresses": [POOL], "name": "x"}},
        {"address": "192.168.78.100", "pool": {"addresses": ["192.168.78.96/28"]}, "externalTrafficPolicy": "Local"},
        {"address": "192.168.78.100", "pool": {"addresses": [POOL]}, "hostname": "Not A Name"},
        {"address": "192.168.78.100", "pool": {"addresses": [POOL]}, "hostname": "*.example.com"},
        {"address": "192.168.78.100", "pool": {"addresses": ["192.168.78.110-192.168.78.100"]}},
        {"address": "192.168.78.100", "pool": {"addresses": ["192.168.78.100"]}},
        {"address": "192.168.78.100", "pool": {"addresses": [POOL, "192.168.78.105/32"]}},
    ],
    "network.networks": [["10.0.0.0/8"], ["10.0.0.1/8"], ["192.168.1.5/32"], ["10.0.0.0/8", "10.0.0.0/8"]],
    "network.namespaces": [["shop"], ["shop", "shop"], ["a" * 64]],
    "network.tls": ["required"],
    "network.authentication": ["md5"],
    "network.clusterDomain": ["cluster.local", "k8s.example.com", "x" * 64],
    "pooler": [
        {"poolSize": 5}, {"instances": 1, "mode": "session", "poolSize": 5}, {"poolSize": 5, "perApplication": ["app"]},
        {"poolSize": 5, "image": "example.com/pgbouncer:1.25"}, {"poolSize": 5, "maxClientConnections": 100000},
        {"instances": 0}, {"poolSize": 0},
    ],
    "backup": [
        {"objectStore": {"destination": "s3://bucket/folder", "credentialsSecret": "keys"}},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "30 2 * * 1-5"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "0 2 * * SUN"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "0 2 * * 7"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "0 2 1 JAN *"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "*/7 */5 L * *"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "0 2-23/2 1,15 * *"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "@daily"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "schedule": "0 2 * * mon#2"},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "retentionDays": 1},
        {"objectStore": {"destination": "s3://bucket", "credentialsSecret": "keys"}, "retentionDays": 0},
        {"volume": {"size": "80Gi"}}, {"volume": {"nfsServer": "192.168.20.5", "nfsPath": "/dumps"}}, {},
        {"timeZone": "Europe/Madrid"}, {"timeZone": "Madrid"},
    ],
    "monitoring.labels": [{}, {"team": "db"}, {"a b": "c"}, {"team": "a b"}, {"release": ""}, {"x": "y" * 64}],
    "monitoring.interval": ["15s", "1m30s", "1h", "30s1m", "0s", "1.5m", "5", "100ms"],
    "monitoring.alerts": [{"replicationLagWarningSeconds": 1, "storageWarningPercent": 1}],
    "credentials": [
        {"superuserAccess": True}, {"revision": 3},
        *(
            {"source": "aws-secrets-manager", "awsSecretsManager": aws}
            for aws in (
                {"userKeys": {"app": "a/b"}},
                {"userKeys": {"app": "a/b"}, "createStore": True},
                {"userKeys": {"app": "a/b"}, "createStore": True, "storeKind": "SecretStore", "serviceAccount": "sa"},
                {"userKeys": {"app": "a/b"}, "createStore": True, "accessKeysSecret": "keys"},
                {"userKeys": {"app": "a/b"}, "createStore": True, "region": "Ireland"},
                {"userKeys": {"app": "a/b"}, "refreshInterval": "1d"},
                {"userKeys": {"app": "a/b"}, "refreshInterval": "1h30m"},
                {"userKeys": {"app": ""}},
            )
        ),
    ],
    "gitops.project": ["databases", "a" * 64],
    "gitops.targetRevision": ["v1.0", "HEAD"],
}  # fmt: skip

_IDENTIFIERS = ["app", "shop", "App", "app_user", "with-hyphen", "a$b", "_x", "über", "all", "replication", "x" * 40,
                "pg_x", "cnpg_x", "pgha_x", "postgres", "streaming_replica", "x" * 64, "a b", "template1"]  # fmt: skip
_USER = {
    "privileges": [["CONNECT"], ["CONNECT", "SELECT"]],
    "connectionLimit": [-1, 0, 20, -2],
    "authentication": ["cert"],
    "passwordSecret": ["given", "a" * 64],
}


def _some(entries: dict[str, list[Any]], *, most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the entries."""
    chosen = st.lists(st.sampled_from(sorted(entries)), max_size=most, unique=True)
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: st.sampled_from(entries[key]) for key in keys}))


@st.composite
def _files(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "demo",
        "namespace": NAMESPACE,
        "engine": draw(st.sampled_from(["cloudnative-pg", "cloudnative-pg", "bitnami"])),
        "delivery": draw(st.sampled_from(["tofu", "argocd"])),
        "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}},
        "gitops": {"argocdNamespace": NAMESPACE + "-argocd"},
    }
    guests = draw(st.lists(st.sampled_from(_IDENTIFIERS[1:]), max_size=2, unique=True))
    users = [{"name": "app"}, *({"name": name, "databases": ["app"]} | draw(_some(_USER, most=1)) for name in guests)]
    more = draw(st.lists(st.sampled_from(_IDENTIFIERS), max_size=1))
    names = ["app", *(name for name in more if name != "app")]
    data |= {"users": users, "databases": [{"name": name, "owner": "app"} for name in names]}
    if draw(st.booleans()):
        data["postgresql"] = {"parameters": draw(_some(PARAMETERS, most=2))}
    for path, value in draw(_some(ODD, most=2)).items():
        section, _, key = path.partition(".")
        if key:
            data[section] = {**data.get(section, {}), key: value}
        else:
            data[section] = value
    return data


def accepted(data: dict[str, Any]) -> Cluster | None:
    """The cluster, where `pgha validate` has nothing against the file."""
    try:
        return load_text(yaml.safe_dump(data, allow_unicode=True).encode(), "demo.yaml")
    except ConfigError:
        return None


FILES = _files()
