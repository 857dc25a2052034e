"""One key at a time: its effect, and that no object changes which the effect does not name."""

from typing import Any

import pytest
from effects_support import GONE, built, made, objects, unstated

from pgha.engines import explain
from pgha.engines.effects import Level

CNPG, CHART = "cloudnative-pg", "bitnami"

# engine, the changed keys, the path in the answer, its level
ONE_KEY: list[tuple[str, dict[str, Any], str, str]] = [
    (CNPG, {"name": "other"}, "name", "refused"),
    (CNPG, {"namespace": "other"}, "namespace", "refused"),
    (CNPG, {"delivery": "argocd"}, "delivery", "nothing"),
    (CNPG, {"instances": 4}, "instances", "new volume"),
    (CNPG, {"postgresql__version": "17"}, "postgresql.version", "outage"),
    (CNPG, {"postgresql__version": "15"}, "postgresql.version", "refused"),
    (CNPG, {"postgresql__image": "example.com/pg:16.9"}, "postgresql.image", "failover"),
    (CNPG, {"postgresql__parameters__work_mem": "8MB"}, "postgresql.parameters.work_mem", "reload"),
    (CNPG, {"postgresql__parameters__work_mem": "4MB"}, "postgresql.parameters.work_mem", "nothing"),
    (CNPG, {"postgresql__parameters__jit_x.y": "1"}, "postgresql.parameters.jit_x.y", "reload"),
    (CNPG, {"postgresql__parameters__max_connections": 500}, "postgresql.parameters.max_connections", "failover"),
    (CNPG, {"postgresql__parameters__max_connections": 300}, "postgresql.parameters.max_connections", "restart"),
    (CNPG, {"postgresql__parameters__max_worker_processes": 16},
     "postgresql.parameters.max_worker_processes", "restart"),
    (CNPG, {"postgresql__parameters__max_worker_processes": 32},
     "postgresql.parameters.max_worker_processes", "nothing"),
    (CNPG, {"postgresql__parameters__shared_buffers": "512MB"}, "postgresql.parameters.shared_buffers", "failover"),
    (CNPG, {"postgresql__parameters__pg_stat_statements.track": "all"},
     "postgresql.parameters.pg_stat_statements.track", "failover"),
    (CNPG, {"postgresql__parameters__post_auth_delay": "1s"}, "postgresql.parameters.post_auth_delay", "reload"),
    (CNPG, {"postgresql__audit": True}, "postgresql.audit", "failover"),
    (CNPG, {"replication": {"mode": "async"}}, "replication.mode", "reload"),
    (CNPG, {"replication__synchronousStandbys": 2}, "replication.synchronousStandbys", "reload"),
    (CNPG, {"replication__durability": "preferred"}, "replication.durability", "reload"),
    (CNPG, {"resources__limits__memory": "6Gi"}, "resources.limits.memory", "failover"),
    (CNPG, {"resources__limits__memory": "4096Mi"}, "resources.limits.memory", "nothing"),
    (CNPG, {"storage__size": "60Gi"}, "storage.size", "new volume"),
    (CNPG, {"storage__size": "40Gi"}, "storage.size", "refused"),
    (CNPG, {"storage__size": "51200Mi"}, "storage.size", "nothing"),
    (CNPG, {"storage__storageClass": "other"}, "storage.storageClass", "refused"),
    (CNPG, {"storage__walSize": "30Gi"}, "storage.walSize", "new volume"),
    (CNPG, {"storage__walSize": "10Gi"}, "storage.walSize", "refused"),
    (CNPG, {"storage__walSize": GONE}, "storage.walSize", "refused"),
    (CNPG, {"placement__antiAffinity": "preferred"}, "placement.antiAffinity", "failover"),
    (CNPG, {"placement__topologyKey": "zone"}, "placement.topologyKey", "failover"),
    (CNPG, {"placement__nodeSelector": {"disk": "ssd"}}, "placement.nodeSelector.disk", "failover"),
    (CNPG, {"databases__2": {"name": "third", "owner": "app"}}, "databases[third]", "nothing"),
    (CNPG, {"databases__1": GONE}, "databases[more]", "by hand"),
    (CNPG, {"databases__0__owner": "guest"}, "databases[app].owner", "access"),
    (CNPG, {"databases__1__owner": "guest"}, "databases[more].owner", "access"),
    (CNPG, {"databases__0__encoding": "LATIN1", "databases__0__collation": "C"}, "databases[app].encoding", "refused"),
    (CNPG, {"databases__1__collation": "C"}, "databases[more].collation", "refused"),
    (CNPG, {"users__2": {"name": "third"}}, "users[third]", "access"),
    (CNPG, {"users__2": {"name": "third", "databases": ["app"]}}, "users[third]", "access"),
    (CNPG, {"users__1": GONE}, "users[guest]", "by hand"),
    (CNPG, {"users__1__privileges": ["CONNECT"]}, "users[guest].privileges", "access"),
    (CNPG, {"users__1__databases": ["app", "more"]}, "users[guest].databases", "access"),
    (CNPG, {"users__1__databases": []}, "users[guest].databases", "access"),
    (CNPG, {"users__1__connectionLimit": 5}, "users[guest].connectionLimit", "access"),
    (CNPG, {"users__1__passwordSecret": "own"}, "users[guest].passwordSecret", "access"),
    (CNPG, {"network__loadBalancer": GONE}, "network.loadBalancer", "access"),
    (CNPG, {"network__loadBalancer__address": "192.168.10.101"}, "network.loadBalancer.address", "access"),
    (CNPG, {"network__loadBalancer__readOnlyAddress": "192.168.10.101"},
     "network.loadBalancer.readOnlyAddress", "access"),
    (CNPG, {"network__loadBalancer__hostname": GONE}, "network.loadBalancer.hostname", "reload"),
    (CNPG, {"network__loadBalancer__pool__autoAssign": True}, "network.loadBalancer.pool.autoAssign", "nothing"),
    (CNPG, {"network__loadBalancer__pool__name": "lan"}, "network.loadBalancer.pool.name", "access"),
    (CNPG, {"network__networks": ["192.168.0.0/16"]}, "network.networks", "access"),
    (CNPG, {"network__networks": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]},
     "network.networks", "reload"),
    (CNPG, {"network__networks": ["192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"]}, "network.networks", "nothing"),
    (CNPG, {"network__namespaces": ["shop"]}, "network.namespaces", "access"),
    (CNPG, {"network__networkPolicy": False}, "network.networkPolicy", "access"),
    (CNPG, {"network__tls": "required"}, "network.tls", "access"),
    (CNPG, {"network__podCidr": "10.99.0.0/16"}, "network.podCidr", "nothing"),
    (CNPG, {"pooler": GONE}, "pooler", "restart"),
    (CNPG, {"pooler__instances": 3}, "pooler.instances", "nothing"),
    (CNPG, {"pooler__instances": 1}, "pooler.instances", "restart"),
    (CNPG, {"pooler__mode": "transaction"}, "pooler.mode", "reload"),
    (CNPG, {"pooler__poolSize": 6}, "pooler.poolSize", "reload"),
    (CNPG, {"pooler__image": "example.com/pgbouncer:1.24"}, "pooler.image", "restart"),
    (CNPG, {"pooler__perApplication": []}, "pooler.perApplication", "restart"),
    (CNPG, {"backup": {"objectStore": {"destination": "s3://bucket/x", "credentialsSecret": "keys"}}},
     "backup", "restart"),
    (CNPG, {"monitoring__enabled": False}, "monitoring.enabled", "nothing"),
    (CNPG, {"monitoring__interval": "1m"}, "monitoring.interval", "nothing"),
    (CNPG, {"credentials__revision": 2}, "credentials.revision", "access"),
    (CNPG, {"credentials__superuserAccess": True}, "credentials.superuserAccess", "access"),
    (CNPG, {"backend__type": "kubernetes", "backend__config": {"namespace": "x"}}, "backend.type", "by hand"),
    (CNPG, {"silence": ["PGHA-W612"]}, "silence", "nothing"),
    (CHART, {"instances": 5}, "instances", "new volume"),
    (CHART, {"instances": 2}, "instances", "failover"),
    (CHART, {"postgresql__image": "example.com/pg:16.9"}, "postgresql.image", "failover"),
    (CHART, {"postgresql__parameters__work_mem": "8MB"}, "postgresql.parameters.work_mem", "failover"),
    (CHART, {"postgresql__parameters__max_connections": 500}, "postgresql.parameters.max_connections", "failover"),
    (CHART, {"postgresql__parameters__max_connections": 300}, "postgresql.parameters.max_connections", "by hand"),
    (CHART, {"postgresql__audit": True}, "postgresql.audit", "failover"),
    (CHART, {"replication": {"mode": "async"}}, "replication.mode", "reload"),
    (CHART, {"resources__limits__memory": "6Gi"}, "resources.limits.memory", "failover"),
    (CHART, {"storage__size": "60Gi"}, "storage.size", "refused"),
    (CHART, {"storage__size": "40Gi"}, "storage.size", "refused"),
    (CHART, {"storage__storageClass": "other"}, "storage.storageClass", "refused"),
    (CHART, {"placement__antiAffinity": "preferred"}, "placement.antiAffinity", "failover"),
    (CHART, {"placement__nodeSelector": {"disk": "ssd"}}, "placement.nodeSelector.disk", "failover"),
    (CHART, {"databases__2": {"name": "third", "owner": "app"}}, "databases[third]", "nothing"),
    (CHART, {"databases__1": GONE}, "databases[more]", "by hand"),
    (CHART, {"databases__1__owner": "guest"}, "databases[more].owner", "access"),
    (CHART, {"users__2": {"name": "third"}}, "users[third]", "restart"),
    (CHART, {"users__1": GONE}, "users[guest]", "by hand"),
    (CHART, {"users__1__privileges": ["CONNECT"]}, "users[guest].privileges", "by hand"),
    (CHART, {"users__1__connectionLimit": 5}, "users[guest].connectionLimit", "access"),
    (CHART, {"users__1__passwordSecret": "own"}, "users[guest].passwordSecret", "restart"),
    (CHART, {"network__loadBalancer": GONE}, "network.loadBalancer", "access"),
    (CHART, {"network__loadBalancer__hostname": GONE}, "network.loadBalancer.hostname", "nothing"),
    (CHART, {"network__networks": ["192.168.0.0/16", "10.42.0.0/16"]}, "network.networks", "restart"),
    (CHART, {"network__namespaces": ["shop"]}, "network.namespaces", "access"),
    (CHART, {"network__networkPolicy": False}, "network.networkPolicy", "access"),
    (CHART, {"network__tls": "required"}, "network.tls", "failover"),
    (CHART, {"network__clusterDomain": "lan"}, "network.clusterDomain", "failover"),
    (CHART, {"pooler__instances": 1}, "pooler.instances", "restart"),
    (CHART, {"pooler__maxClientConnections": 120}, "pooler.maxClientConnections", "restart"),
    (CHART, {"pooler__image": "example.com/pgpool:4.6"}, "pooler.image", "restart"),
    (CHART, {"backup": GONE}, "backup", "nothing"),
    (CHART, {"backup__schedule": "0 3 * * *"}, "backup.schedule", "nothing"),
    (CHART, {"backup__retentionDays": 3}, "backup.retentionDays", "nothing"),
    (CHART, {"backup__volume": {"size": "60Gi"}}, "backup.volume.size", "new volume"),
    (CHART, {"backup__volume": {"size": "40Gi"}}, "backup.volume.size", "refused"),
    (CHART, {"backup__volume": {"storageClass": "other"}}, "backup.volume.storageClass", "refused"),
    (CHART, {"monitoring__enabled": False}, "monitoring.enabled", "failover"),
    (CHART, {"monitoring__interval": "1m"}, "monitoring.interval", "nothing"),
    (CHART, {"monitoring__alerts": {"replicationLagWarningSeconds": 30}},
     "monitoring.alerts.replicationLagWarningSeconds", "failover"),
    (CHART, {"credentials__revision": 2}, "credentials.revision", "restart"),
    (CHART, {"credentials__superuserAccess": True}, "credentials.superuserAccess", "restart"),
]  # fmt: skip


def _name(case: object) -> str:
    return ",".join(case) if isinstance(case, dict) else str(case)


@pytest.mark.parametrize(("engine", "changed", "path", "level"), ONE_KEY, ids=_name)
def test_one_key(engine: str, changed: dict[str, Any], path: str, level: str) -> None:
    before, after = made(engine), made(engine, **changed)
    effects = explain(before, after)
    answer = next(effect for effect in effects if effect.path == path)
    assert (answer.level, answer.remedy != "" or level not in {"refused", "by hand"}) == (level, True)
    assert answer.old != answer.new
    if built(before) and built(after) and not {"name", "namespace"} & set(changed):
        # The same amount or set written otherwise changes an object's text, and what runs not at all.
        assert (
            "written otherwise" in answer.reason
            or "in another order" in answer.reason
            or not unstated(before, after, effects)
        )
        assert not understated(objects(before), objects(after), effects[0].level)


def understated(before: dict[str, Any], after: dict[str, Any], worst: Level) -> list[str]:
    """Parts of pods that change, where the effect would let one believe that none is replaced."""
    faults = []
    for name, old in before.items():
        new = after.get(name)
        if name.startswith("Cluster ") and new:
            pods = ("imageName", "affinity", "resources", "walStorage")
            changed = [key for key in pods if old["spec"].get(key) != new["spec"].get(key)]
            faults += [key for key in changed if worst.rank > Level.FAILOVER.rank and not _same_amount(old, new, key)]
        if name == "release" and new:
            servers = {"postgresql", "persistence", "witness", "volumePermissions", "metrics", "clusterDomain"}
            faults += [
                key for key in servers
                if _pods(old.get(key)) != _pods(new.get(key)) and worst.rank > Level.FAILOVER.rank
            ]  # fmt: skip
            if _pods(old["pgpool"]) != _pods(new["pgpool"]) and worst.rank > Level.RESTART.rank:
                faults.append("pgpool")
    return faults


def _pods(values: Any) -> Any:
    outside = {"replicaCount", "pdb", "serviceMonitor"}
    return {key: value for key, value in values.items() if key not in outside} if isinstance(values, dict) else values


def _same_amount(old: Any, new: Any, key: str) -> bool:
    return key == "resources" and str(old["spec"][key]).replace("4Gi", "4096Mi") == str(new["spec"][key])


def test_another_major_with_the_chart_is_refused() -> None:
    image = "example.com/pg@sha256:ab"  # without one, only 16 is valid
    before = made(CHART, postgresql__image=image)
    (effect,) = explain(before, made(CHART, postgresql__image=image, postgresql__version="17"))
    assert (effect.path, effect.level) == ("postgresql.version", Level.REFUSED)
    assert effect.remedy


def test_the_same_file_does_nothing() -> None:
    assert explain(made(CNPG), made(CNPG)) == []


def test_spelling_a_parameter_otherwise_does_nothing() -> None:
    before = made(CNPG, postgresql__parameters__jit=True)
    assert explain(before, made(CNPG, postgresql__parameters={"max_connections": "400", "jit": "on"})) == []


def test_writing_a_default_down_does_nothing() -> None:
    assert explain(made(CNPG), made(CNPG, instances=3, network__port=5432)) == []


def test_the_order_of_entries_does_nothing() -> None:
    users = [{"name": "guest", "databases": ["app"]}, {"name": "app"}]
    assert explain(made(CNPG), made(CNPG, users=users)) == []


def test_the_worst_comes_first() -> None:
    found = explain(made(CNPG), made(CNPG, storage__size="40Gi", credentials__revision=2, instances=4))
    assert [effect.level for effect in found] == [Level.REFUSED, Level.VOLUME, Level.ACCESS]


def test_a_new_database_is_made_in_any_place() -> None:
    new = [{"name": "other", "owner": "app"}, {"name": "app", "owner": "app"}, {"name": "more", "owner": "app"}]
    found = {effect.path: effect.level for effect in explain(made(CNPG), made(CNPG, databases=new))}
    assert found == {"databases[other]": Level.NOTHING, "databases[0]": Level.NOTHING}


def test_databases_that_change_places_change_no_database() -> None:
    (effect,) = explain(made(CNPG), made(CNPG, databases=made(CNPG).model_dump(by_alias=True)["databases"][::-1]))
    assert (effect.path, effect.level) == ("databases[0]", Level.NOTHING)
    assert effect.objects == ("Cluster demo/demo",)


def test_another_image_and_other_parameters_at_once_are_refused() -> None:
    after = made(CNPG, postgresql__image="example.com/pg:16.9", postgresql__parameters__work_mem="8MB")
    found = {effect.path: effect.level for effect in explain(made(CNPG), after)}
    assert found == {
        "postgresql.parameters": Level.REFUSED,
        "postgresql.image": Level.FAILOVER,
        "postgresql.parameters.work_mem": Level.RELOAD,
    }


def test_local_path_does_not_grow() -> None:
    before = made(CNPG, storage__storageClass="local-path")
    (effect,) = explain(before, made(CNPG, storage__storageClass="local-path", storage__size="60Gi"))
    assert (effect.level, "cannot be enlarged" in effect.reason) == (Level.REFUSED, True)


def test_a_parameter_counts_by_the_version_that_runs_it() -> None:
    """autovacuum_max_workers can change on the fly since PostgreSQL 18 (pg_settings.context)."""
    levels = []
    for version in ("17", "18"):
        before = made(CNPG, postgresql__version=version)
        after = made(CNPG, postgresql__version=version, postgresql__parameters__autovacuum_max_workers=5)
        levels.append(explain(before, after)[0].level)
    assert levels == [Level.FAILOVER, Level.RELOAD]


def test_another_engine_is_refused_by_the_one_that_runs() -> None:
    found = {effect.path: effect.level for effect in explain(made(CNPG), made(CHART))}
    assert found["engine"] is Level.REFUSED


def test_a_parameter_that_may_hold_a_secret_is_not_shown() -> None:
    (effect,) = explain(made(CNPG), made(CNPG, **{"postgresql__parameters__ext.api_token": "s3cret"}))
    assert (effect.old, effect.new) == ("not set", "a value that is not shown")
