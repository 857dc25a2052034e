"""Any file that model and rules accept synthesizes and is read back, and any change of it is explained."""

import os
from collections import Counter
from typing import Any

import yaml
from effects_support import objects, unstated
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from pgha.config import Cluster, ConfigError, load_text
from pgha.config.writing import dump
from pgha.engines import explain
from pgha.engines.base import NotBuiltError
from pgha.engines.effects import Effect, Level

EXAMPLES = int(os.environ.get("PGHA_EXAMPLES", "120"))
"""How many inputs each property is tried with; `make fuzz` tries more."""

NOT_BUILT: dict[str, tuple[str, ...]] = {"cloudnative-pg": (), "bitnami": ("chart postgresql-ha",)}
"""What a file may ask for and an engine cannot do: an image of another major is known only when the chart is."""

some = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

NAMES = st.sampled_from(["app", "shop", "owner", "app_user", "reader"])
MEMORY = st.sampled_from(["1Gi", "2Gi", "4Gi", "8192Mi"])
PARAMETERS = {
    "work_mem": ["4MB", "8MB", "1024kB"],
    "max_connections": [150, 300, "400"],
    "shared_buffers": ["128MB", "0.5GB", "16384"],
    "max_worker_processes": [8, 32],
    "autovacuum_max_workers": [3, 5],
    "max_wal_size": ["1GB", "2GB"],
    "log_min_duration_statement": [-1, "1s", "1000"],
    "jit": [True, "off"],
    "log_connections": [True],
    "pg_stat_statements.max": [5000, 10000],
    "pgaudit.log": ["write"],
    "random_page_cost": [1.1, 4, "1.10"],
    "some_extension.level": ["1", 2],
}


def optional(**entries: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=entries)


def some_of(entries: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return optional(**{key: st.sampled_from(values) for key, values in entries.items()})


@st.composite
def access(draw: st.DrawFn) -> dict[str, Any]:
    """Users, and databases that belong to them."""
    users = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    database = {"encoding": ["UTF8", "LATIN1"], "collation": ["C", "en_US.UTF-8"]}
    user = {
        "privileges": [["CONNECT"], ["CONNECT", "SELECT"], ["SELECT", "CONNECT"]],
        "connectionLimit": [-1, 20],
        "passwordSecret": ["given"],
        "authentication": ["password", "cert"],
    }
    return {
        "databases": [
            {"name": name, "owner": draw(st.sampled_from(users)), **draw(some_of(database))} for name in names
        ],
        "users": [
            {"name": name, "databases": draw(st.lists(st.sampled_from(names), unique=True)), **draw(some_of(user))}
            for name in users
        ],
    }


BALANCER = st.fixed_dictionaries(
    {
        "address": st.sampled_from(["192.168.10.100", "192.168.10.101"]),
        "pool": st.fixed_dictionaries(
            {"addresses": st.sampled_from([["192.168.10.100-192.168.10.110"], ["192.168.10.96/28"]])},
            optional={"name": st.just("lan"), "autoAssign": st.booleans()},
        ),
    },
    optional={
        "hostname": st.just("db.example.com"),
        "externalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
        "readOnlyAddress": st.just("192.168.10.109"),
    },
)
NETWORK = optional(
    loadBalancer=BALANCER,
    networks=st.sampled_from([["192.168.0.0/16", "10.0.0.0/8"], ["10.0.0.0/8", "192.168.0.0/16"], ["10.0.0.0/8"]]),
    namespaces=st.sampled_from([[], ["shop"]]),
    networkPolicy=st.booleans(),
    tls=st.sampled_from(["required", "allowed"]),
    authentication=st.sampled_from(["scram-sha-256", "md5"]),
    clusterDomain=st.sampled_from(["cluster.local", "lan"]),
)
MONITORING = some_of(
    {
        "enabled": [True, False],
        "interval": ["15s"],
        "labels": [{"team": "db"}, {}],
        "dashboard": [False],
        "alerts": [{"replicationLagWarningSeconds": 30}, {"storageWarningPercent": 70}],
    }
)
BACKUP = some_of(
    {
        "schedule": ["0 3 * * *", "30 2 * * 0"],
        "retentionDays": [3, 14],
        "objectStore": [{"destination": "s3://bucket/folder", "credentialsSecret": "keys"}],
        "volume": [{"size": "80Gi"}, {"nfsServer": "nas.example.com", "nfsPath": "/dumps"}],
    }
)
FILES = st.builds(
    lambda base, named: base | named,
    optional(
        namespace=st.just("demo"),
        instances=st.integers(2, 5),
        engine=st.sampled_from(["cloudnative-pg", "bitnami"]),
        postgresql=optional(
            version=st.sampled_from(["14", "16", "17", "18"]),
            image=st.sampled_from(["example.com/postgresql:16.9", "example.com/postgresql:17.5"]),
            parameters=some_of(PARAMETERS),
            audit=st.booleans(),
        ),
        replication=some_of({"mode": ["sync", "async"], "synchronousStandbys": [1, 2], "durability": ["preferred"]}),
        resources=optional(requests=optional(memory=MEMORY), limits=optional(memory=MEMORY, cpu=st.just("4"))),
        storage=some_of(
            {"size": ["20Gi", "50Gi", "51200Mi"], "storageClass": ["fast", "local-path"], "walSize": ["10Gi", "20Gi"]}
        ),
        placement=some_of({"antiAffinity": ["preferred"], "topologyKey": ["zone"], "nodeSelector": [{"disk": "ssd"}]}),
        network=NETWORK,
        pooler=some_of(
            {"instances": [1, 2], "mode": ["session"], "maxClientConnections": [64, 128], "poolSize": [1, 5]}
        ),
        backup=BACKUP,
        monitoring=MONITORING,
        credentials=some_of({"revision": [2], "superuserAccess": [True], "source": ["aws-secrets-manager"]}),
        access=access(),
    ),
    st.fixed_dictionaries({"name": st.just("demo"), "delivery": st.sampled_from(["tofu", "argocd"])}),
)


def read(data: dict[str, Any]) -> Cluster | None:
    """The cluster, where the file is accepted."""
    flat = {**data, **data.get("access", {})}
    flat.pop("access", None)
    # What the engine refuses anyway would make most files unfit.
    absent = {"bitnami": ["storage.walSize", "replication.durability", "backup.objectStore"]}
    for path in absent.get(flat.get("engine", ""), ["backup.volume"]):
        section, _, key = path.partition(".")
        if section in flat:
            flat[section] = {name: value for name, value in flat[section].items() if name != key}
    try:
        return load_text(yaml.safe_dump(flat).encode(), "demo.yaml")
    except ConfigError:
        return None


ACCEPTED = FILES.map(read).filter(lambda cluster: cluster is not None)


def test_what_is_accepted_synthesizes() -> None:
    """Or the engine says that it cannot do it yet: each such answer is counted, and none is new."""
    made: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()

    @some
    @given(cluster=ACCEPTED)
    def holds(cluster: Cluster) -> None:
        try:
            assert objects(cluster)
        except NotBuiltError as error:
            refused[cluster.engine, error.what] += 1
        else:
            made[cluster.engine] += 1

    holds()
    print(f"synthesized: {dict(made)}")
    for (engine, reason), count in refused.most_common():
        print(f"{count} times: {reason} ({engine})")
        assert reason.startswith(NOT_BUILT[engine]), "an answer that is not on the list above"
    assert set(made) == {"cloudnative-pg", "bitnami"}


@some
@given(cluster=ACCEPTED)
def test_load_dump_load_is_the_identity(cluster: Cluster) -> None:
    again = load_text(dump(cluster).encode(), "demo.yaml")
    assert again == cluster
    assert dump(again) == dump(cluster)


@some
@given(cluster=ACCEPTED)
def test_a_file_explained_against_itself_is_empty(cluster: Cluster) -> None:
    assert explain(cluster, load_text(dump(cluster).encode(), "demo.yaml")) == []


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Cluster, Cluster]:
    """Two accepted files: mostly one and the same with some sections taken from another."""
    old, other = draw(FILES), draw(FILES)
    taken = draw(st.none() | st.sets(st.sampled_from(sorted({*old, *other})), max_size=3))
    mixed = {key: value for key, value in old.items() if key not in (taken or ())}
    new = other if taken is None else mixed | {key: other[key] for key in taken if key in other}
    before, after = read(old), read(new)
    assume(before is not None and after is not None)
    assert before is not None
    assert after is not None
    return before, after


@some
@given(pair=pairs())
def test_any_change_is_explained(pair: tuple[Cluster, Cluster]) -> None:
    before, after = pair
    effects = explain(before, after)
    event(f"worst: {effects[0].level if effects else 'no change'}")
    ranks = [effect.level.rank for effect in effects]
    assert ranks == sorted(ranks)
    assert len({effect.path for effect in effects}) == len(effects)
    for effect in effects:
        assert effect.old != effect.new
        assert effect.reason
        assert "{" not in "".join(effect.objects)
    whole = _as_built(before, after, effects)
    event(f"objects compared: {whole}")


def _as_built(before: Cluster, after: Cluster, effects: list[Effect]) -> bool:
    """No object differs that is not named, where both files can be built and are one cluster of one engine."""
    if before.engine != after.engine or any(effect.level is Level.REFUSED for effect in effects):
        return False
    if before.namespace != after.namespace or before.delivery != after.delivery:
        return False
    if any("otherwise" in effect.reason or "another order" in effect.reason for effect in effects):
        return False
    try:
        assert not unstated(before, after, effects)
    except NotBuiltError:
        return False
    return True
