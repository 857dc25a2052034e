"""What the engine makes of `backup` and `recovery`, and how it reads what the operator and the plugin report."""

import json
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import engine_of, plan
from pgha.engines.backups import Stored
from tests.support import sample

STORE = {"destination": "s3://backups/", "credentialsSecret": "keys"}


def archived(store: dict[str, Any] | None = None, **backup: Any) -> Cluster:
    return sample(backup={"objectStore": STORE | (store or {})} | backup)


def only(cluster: Cluster, kind: str, name: str = "") -> dict[str, Any]:
    found = [obj for obj in plan(cluster).stack if obj["kind"] == kind and name in obj["metadata"]["name"]]
    assert len(found) == 1
    return found[0]


def test_the_store_is_the_files() -> None:
    spec = only(archived(retentionDays=14), "ObjectStore")["spec"]
    assert spec["retentionPolicy"] == "14d"
    assert spec["configuration"] == {
        "destinationPath": "s3://backups",
        "s3Credentials": {
            "accessKeyId": {"name": "keys", "key": "ACCESS_KEY_ID"},
            "secretAccessKey": {"name": "keys", "key": "ACCESS_SECRET_KEY"},
        },
        "wal": {"compression": "gzip", "maxParallel": 1},
        "data": {"compression": "gzip", "immediateCheckpoint": True, "jobs": 2},
    }
    assert "env" not in spec["instanceSidecarConfiguration"]


def test_another_server_gets_its_authority_and_no_checksums_of_aws() -> None:
    spec = only(archived({"endpoint": "https://s3.example.com/", "endpointCaSecret": "ca"}), "ObjectStore")["spec"]
    assert spec["configuration"]["endpointURL"] == "https://s3.example.com"
    assert spec["configuration"]["endpointCA"] == {"name": "ca", "key": "ca.crt"}
    assert {entry["value"] for entry in spec["instanceSidecarConfiguration"]["env"]} == {"when_required"}


def test_a_role_of_aws_stands_for_keys() -> None:
    role = "arn:aws:iam::123456789012:role/backup"
    cluster = sample(backup={"objectStore": {"destination": "s3://backups", "iamRole": role, "region": "eu-west-1"}})
    store, live = only(cluster, "ObjectStore")["spec"], only(cluster, "Cluster")["spec"]
    assert store["configuration"]["s3Credentials"] == {"inheritFromIAMRole": True}
    assert {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"} in store["instanceSidecarConfiguration"]["env"]
    assert live["serviceAccountTemplate"]["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": role}
    assert engine_of(cluster).backups.borrowed(cluster) == {}


@pytest.mark.parametrize(("written", "six"), [("0 2 * * *", "0 0 2 * * *"), ("30 0 2 * * *", "30 0 2 * * *")])
def test_the_operator_counts_seconds_first(written: str, six: str) -> None:
    spec = only(archived(schedule=written), "ScheduledBackup")["spec"]
    assert spec["schedule"] == six
    assert (spec["immediate"], spec["target"], spec["backupOwnerReference"]) == (True, "primary", "cluster")


def test_the_cluster_archives_by_the_plugin() -> None:
    assert only(archived(), "Cluster")["spec"]["plugins"] == [
        {
            "name": "barman-cloud.cloudnative-pg.io",
            "enabled": True,
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "db-backup"},
        }
    ]


def test_without_backups_there_is_no_trace_of_them() -> None:
    spec = only(sample(), "Cluster")["spec"]
    assert not {"plugins", "externalClusters", "serviceAccountTemplate"} & spec.keys()
    assert not {"ObjectStore", "ScheduledBackup"} & {obj["kind"] for obj in plan(sample()).stack}


def test_a_recovered_cluster_reads_one_archive_and_writes_another() -> None:
    recovery = {"cluster": "shop", "targetTime": "2026-11-21T18:05:00+01:00", "objectStore": STORE}
    cluster = sample(backup={"objectStore": STORE}, recovery=recovery)
    spec = only(cluster, "Cluster")["spec"]
    assert spec["bootstrap"] == {
        "recovery": {
            "database": "app",
            "owner": "app",
            "secret": {"name": "db-app"},
            "source": "shop",
            "recoveryTarget": {"targetTime": "2026-11-21 17:05:00.000000+00"},
        }
    }
    assert spec["externalClusters"][0]["plugin"]["parameters"] == {
        "barmanObjectName": "db-recovery",
        "serverName": "shop",
    }
    assert "retentionPolicy" not in only(cluster, "ObjectStore", "recovery")["spec"]


def test_stores_come_before_the_cluster_and_the_schedule_after_it() -> None:
    kinds = [obj["kind"] for obj in plan(archived()).stack]
    assert kinds.index("ObjectStore") < kinds.index("Cluster") < kinds.index("ScheduledBackup")


def test_its_resources_must_be_known() -> None:
    needed = {one.kind: one.brought_by for one in plan(archived()).requirements}
    assert "Barman Cloud plugin" in needed["ObjectStore"]
    assert "ScheduledBackup" in needed


def backup_object(name: str, **status: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"cluster": {"name": "db"}}, "status": status}


def test_records_are_read_the_newest_first_and_only_the_clusters_own() -> None:
    scheduled = backup_object(
        "db-backup-1", phase="completed", startedAt="2026-11-21T02:00:00Z", stoppedAt="2026-11-21T02:01:00Z", endWal="A"
    )
    scheduled["metadata"]["labels"] = {"cnpg.io/scheduled-backup": "db-backup"}
    other = backup_object("other") | {"spec": {"cluster": {"name": "another"}}}
    failed = backup_object("db-2", phase="failed", startedAt="2026-11-21T03:00:00Z", error="no\n bucket")
    live = [scheduled, other, failed, backup_object("db-3")]
    found = engine_of(archived()).backups.known(archived(), lambda *_: live)
    assert [(one.name, one.phase, one.on_demand, one.reason) for one in found] == [
        ("db-3", "waiting", True, ""),
        ("db-2", "failed", True, "no bucket"),
        ("db-backup-1", "done", False, ""),
    ]
    assert found[2].end_wal == "A"


def test_the_store_is_asked_with_keys_that_no_command_line_shows() -> None:
    cluster = archived({"endpoint": "https://s3.example.com", "endpointCaSecret": "ca"})
    found = engine_of(cluster).backups.inquiry(cluster)
    assert found is not None
    assert found.container == "plugin-barman-cloud"
    assert found.command[-4:] == ("--endpoint-url", "https://s3.example.com", "s3://backups", "db")
    assert found.command[3] == "/barman-certificates/db-backup/barman-ca.crt"
    assert found.secrets == {
        "AWS_ACCESS_KEY_ID": ("keys", "ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY": ("keys", "ACCESS_SECRET_KEY"),
    }


def test_only_what_is_whole_in_the_store_counts() -> None:
    printed = {
        "backups_list": [
            {"backup_id": "20261121T020000", "status": "DONE", "cluster_size": 31134660},
            {"backup_id": "20261121T030000", "status": "FAILED", "cluster_size": 1},
            {"backup_id": "20261120T020000", "status": "DONE"},
        ]
    }
    assert engine_of(archived()).backups.stored(json.dumps(printed)) == [
        Stored(id="20261121T020000", size=31134660),
        Stored(id="20261120T020000", size=None),
    ]


def reading(**objects: Any) -> Any:
    return lambda _version, kind, _namespace, name: objects.get(f"{kind}_{name.replace('-', '_')}")


def cluster_with(status: str, message: str = "") -> dict[str, Any]:
    condition = {"type": "ContinuousArchiving", "status": status, "message": message}
    return {"status": {"conditions": [condition]}}


KEYS = {"data": {"ACCESS_KEY_ID": "", "ACCESS_SECRET_KEY": ""}}


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        (
            {},
            "Secret db-ns/keys does not exist: kubectl -n db-ns create secret generic keys --from-file=ACCESS_KEY_ID=",
        ),
        ({"Secret_keys": {"data": {"ACCESS_KEY_ID": ""}}}, "Secret db-ns/keys has no ACCESS_SECRET_KEY"),
        ({"Secret_keys": KEYS}, "Cluster db-ns/db does not exist"),
        ({"Secret_keys": KEYS, "Cluster_db": {"status": {}}}, "no write-ahead log was archived yet"),
        ({"Secret_keys": KEYS, "Cluster_db": cluster_with("False", "no\nroute")}, "is not archived: no route"),
    ],
    ids=["no secret", "half a secret", "no cluster", "new", "failing"],
)
def test_trouble_is_named(objects: dict[str, Any], words: str) -> None:
    assert words in engine_of(archived()).backups.trouble(archived(), reading(**objects))


def test_there_is_no_trouble_where_archiving_works() -> None:
    live = reading(Secret_keys=KEYS, Cluster_db=cluster_with("True"))
    assert engine_of(archived()).backups.trouble(archived(), live) == ""


def test_the_first_moment_is_the_plugins() -> None:
    window = {"db": {"firstRecoverabilityPoint": "2026-11-14T02:00:00Z"}}
    backups = engine_of(archived()).backups
    found = backups.earliest(archived(), reading(ObjectStore_db_backup={"status": {"serverRecoveryWindow": window}}))
    assert found is not None
    assert found.isoformat() == "2026-11-14T02:00:00+00:00"
    assert backups.earliest(archived(), reading()) is None
