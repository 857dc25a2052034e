"""The synthesized stacks: addresses that are API, Secrets without secrets, guards on what holds data."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import explain
from pgha.stacks import ClusterStack, PlatformStack, synthesize
from tests.support import balancer, lab, sample, trio

cdktf = importlib.import_module("cdktf")  # after pgha.stacks, which chooses its Node


def stack(cluster: Cluster) -> dict[str, Any]:
    """The cluster's stack as OpenTofu reads it."""
    found: dict[str, Any] = json.loads(cdktf.Testing.synth(ClusterStack(cdktf.Testing.app(), cluster)))
    return found


def platform() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cdktf.Testing.synth(PlatformStack(cdktf.Testing.app())))
    return found


def addresses(found: dict[str, Any]) -> list[str]:
    return sorted(f"{kind}.{name}" for kind, resources in found["resource"].items() for name in resources)


@pytest.fixture(scope="module")
def of_lab() -> dict[str, Any]:
    return stack(lab())


def test_addresses_are_api(of_lab: dict[str, Any]) -> None:
    """A change here moves state: it needs a `moved` block and a line in the changelog."""
    named, made_once = [], []  # the name of a Job says what it does: another one is another Job
    for name in addresses(of_lab):
        (made_once if ".job_" in name else named).append(name)
    assert [name.rpartition("_")[0] for name in made_once] == ["kubernetes_manifest.job_lab_access_app"]
    assert named == [
        "kubernetes_manifest.cluster_lab",
        "kubernetes_manifest.database_lab_app",
        "kubernetes_manifest.database_role_lab_heartbeat",
        "kubernetes_manifest.deployment_lab_heartbeat",
        "kubernetes_manifest.ip_address_pool_lab",
        "kubernetes_manifest.l2_advertisement_lab",
        "kubernetes_manifest.network_policy_lab",
        "kubernetes_namespace_v1.namespace",
        "kubernetes_secret_v1.secret_lab_app",
    ]
    assert list(of_lab["output"]) == ["cluster", "endpoints", "secrets"]


def test_addresses_of_the_platform_are_api() -> None:
    assert addresses(platform()) == [
        "helm_release.cloudnative_pg",
        "helm_release.metallb",
        "kubernetes_namespace_v1.namespace_cnpg_system",
        "kubernetes_namespace_v1.namespace_metallb_system",
        "kubernetes_pod_disruption_budget_v1.budget_cloudnative_pg",
    ]


def test_passwords_are_ephemeral_and_written_only(of_lab: dict[str, Any]) -> None:
    assert of_lab["ephemeral"] == {"random_password": {"secret_lab_app": {"length": 24, "special": False}}}
    secret = of_lab["resource"]["kubernetes_secret_v1"]["secret_lab_app"]
    assert secret["data_wo"] == {
        "username": "app",
        "password": "${ephemeral.random_password.secret_lab_app.result}",
    }
    assert secret["data_wo_revision"] == 1
    assert "data" not in secret


def test_a_raised_revision_rotates() -> None:
    secret = stack(sample(credentials={"revision": 2}))["resource"]["kubernetes_secret_v1"]["secret_db_app"]
    assert secret["data_wo_revision"] == 2
    assert secret["metadata"]["annotations"] == {"pgha/credentials-revision": "2"}


def test_the_cluster_is_waited_for_and_guarded(of_lab: dict[str, Any]) -> None:
    cluster = of_lab["resource"]["kubernetes_manifest"]["cluster_lab"]
    assert cluster["wait"] == {"fields": {"status.phase": "^Cluster in healthy state$"}}
    assert cluster["lifecycle"] == {"prevent_destroy": True}
    assert cluster["computed_fields"] == [
        "metadata.annotations",
        "metadata.labels",
        "spec.postgresql.parameters",
        "spec.primaryLease.releasedLeaseDurationSeconds",
    ]
    assert cluster["depends_on"] == [
        "kubernetes_namespace_v1.namespace",
        "kubernetes_secret_v1.secret_lab_app",
    ]


def test_what_was_changed_by_hand_is_taken_back(of_lab: dict[str, Any]) -> None:
    """Without force the API server refuses to change a field that somebody else has set since."""
    manifests = of_lab["resource"]["kubernetes_manifest"]
    ours = {"name": "pgha", "force_conflicts": True}
    assert {name: one["field_manager"] for name, one in manifests.items()} == dict.fromkeys(manifests, ours)


def test_the_cluster_waits_for_secrets_that_others_fill_and_none_is_made_beside_them() -> None:
    aws = {"createStore": True, "storeKind": "SecretStore", "userKeys": {"app": "postgres/app"}}
    found = stack(sample(credentials={"source": "aws-secrets-manager", "awsSecretsManager": aws}))
    manifests = found["resource"]["kubernetes_manifest"]
    secret = manifests["external_secret_db_app"]
    assert secret["wait"] == {"condition": [{"type": "Ready", "status": "True"}]}
    assert "kubernetes_manifest.external_secret_db_app" in manifests["cluster_db"]["depends_on"]
    assert secret["manifest"]["spec"]["target"]["template"]["data"]["password"] == "{{ .password }}"
    assert "ephemeral" not in found
    assert "kubernetes_secret_v1" not in found["resource"]


def test_a_database_waits_for_its_cluster() -> None:
    cluster = sample(databases=[{"name": "app", "owner": "app"}, {"name": "two", "owner": "app"}])
    database = stack(cluster)["resource"]["kubernetes_manifest"]["database_db_two"]
    assert "kubernetes_manifest.cluster_db" in database["depends_on"]
    assert database["wait"] == {"fields": {"status.applied": "^true$"}}


def test_namespace_and_secret_cannot_be_destroyed_by_mistake(of_lab: dict[str, Any]) -> None:
    guarded = [of_lab["resource"]["kubernetes_namespace_v1"], of_lab["resource"]["kubernetes_secret_v1"]]
    assert all(one["lifecycle"] == {"prevent_destroy": True} for kind in guarded for one in kind.values())


def test_versions_are_exact(of_lab: dict[str, Any]) -> None:
    assert of_lab["terraform"]["required_version"] == ">= 1.11.0"
    assert of_lab["terraform"]["required_providers"] == {
        "kubernetes": {"source": "kubernetes", "version": "2.38.0"},
        "random": {"source": "hashicorp/random", "version": "3.9.0"},
    }
    releases = platform()["resource"]["helm_release"].values()
    assert {one["chart"]: one["version"] for one in releases} == {"cloudnative-pg": "0.29.0", "metallb": "0.16.1"}


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ({"type": "local"}, {"local": {"path": "db.tfstate"}}),
        ({"type": "local", "config": {"path": "../db.tfstate"}}, {"local": {"path": "../db.tfstate"}}),
        (
            {"type": "kubernetes", "config": {"secret_suffix": "db", "namespace": "tofu"}},
            {"kubernetes": {"secret_suffix": "db", "namespace": "tofu"}},
        ),
        ({"type": "s3", "config": {"bucket": "b", "key": "db"}}, {"s3": {"bucket": "b", "key": "db"}}),
        (
            {"type": "http", "config": {"address": "https://state.example.com/db", "lock_method": "PUT"}},
            {"http": {"address": "https://state.example.com/db", "lock_method": "PUT"}},
        ),
    ],
    ids=["default", "local", "kubernetes", "s3", "http"],
)
def test_backend_is_the_files(backend: dict[str, Any], found: dict[str, Any]) -> None:
    assert stack(sample(backend=backend))["terraform"]["backend"] == found


def test_an_encrypted_state_asks_for_its_passphrase() -> None:
    """From the environment alone; a state from before is still read, and written encrypted."""
    found = stack(sample(backend={"encryption": "passphrase"}))
    assert found["variable"]["state_passphrase"]["sensitive"] is True
    assert "default" not in found["variable"]["state_passphrase"]
    sealed = found["terraform"]["encryption"]
    assert sealed["key_provider"]["pbkdf2"]["passphrase"] == {"passphrase": "${var.state_passphrase}"}
    assert sealed["method"]["aes_gcm"]["passphrase"] == {"keys": "${key_provider.pbkdf2.passphrase}"}
    assert sealed["state"] == sealed["plan"]
    assert sealed["state"]["method"] == "method.aes_gcm.passphrase"
    assert sealed["state"]["fallback"] == {"method": "method.unencrypted.before"}


def test_without_the_word_nothing_is_encrypted(of_lab: dict[str, Any]) -> None:
    assert "encryption" not in of_lab["terraform"]
    assert "variable" not in of_lab


def test_the_state_records_the_file_without_where_the_state_is() -> None:
    backend = {"type": "s3", "config": {"bucket": "b", "key": "db"}}
    parameters = {"log_line_prefix": "${y}"}
    cluster = sample(backend=backend, silence=["PGHA-W607"], postgresql={"parameters": parameters})
    found = stack(cluster)["output"]["cluster"]["value"]
    assert found["postgresql"] == {"parameters": {"log_line_prefix": "$${y}"}}
    assert not {"backend", "silence", "instances"} & set(found), "what no object holds, and defaults"
    plain = found | {"postgresql": {"parameters": parameters}, "backend": backend, "silence": ["PGHA-W607"]}
    assert explain(Cluster.model_validate(plain), cluster) == []


def test_what_holds_data_is_given_all_the_time_to_go() -> None:
    manifests = stack(sample(network=balancer()))["resource"]["kubernetes_manifest"]
    assert manifests["ip_address_pool_db"]["timeouts"] == {"delete": "2m"}
    assert "delete" not in manifests["cluster_db"]["timeouts"]


def test_what_argo_cd_takes_over_is_forgotten_and_never_destroyed() -> None:
    """Whoever applies this by hand, without pgha, is as safe."""
    whole, rest = (stack(sample(delivery=delivery, network=balancer())) for delivery in ("tofu", "argocd"))
    handed = sorted(set(addresses(whole)) - set(addresses(rest)))
    assert "kubernetes_manifest.cluster_db" in handed
    assert sorted(block["from"] for block in rest["removed"]) == handed
    assert all(block["lifecycle"] == {"destroy": False} for block in rest["removed"])
    assert "removed" not in whole


def test_a_chart_that_argo_cd_takes_over_is_forgotten() -> None:
    assert "helm_release.release_trio" in [block["from"] for block in stack(trio(delivery="argocd"))["removed"]]


def test_text_that_looks_like_a_template_stays_text() -> None:
    cluster = sample(postgresql={"parameters": {"log_line_prefix": "%{x} ${y}"}})
    manifest = stack(cluster)["resource"]["kubernetes_manifest"]["cluster_db"]["manifest"]
    assert manifest["spec"]["postgresql"]["parameters"] == {
        "wal_retrieve_retry_interval": "500ms",
        "log_line_prefix": "%%{x} $${y}",
    }


def test_with_argocd_the_stack_holds_no_cluster() -> None:
    found = stack(sample(delivery="argocd", network=balancer()))
    assert addresses(found) == [
        "kubernetes_manifest.app_project_db",
        "kubernetes_manifest.application_db",
        "kubernetes_manifest.ip_address_pool_db",
        "kubernetes_manifest.l2_advertisement_db",
        "kubernetes_namespace_v1.namespace",
        "kubernetes_secret_v1.secret_db_app",
    ]


def test_the_same_file_gives_the_same_bytes_without_this_machines_paths(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        synthesize([lab()], tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.relative_to(tmp_path / name): path.read_text() for path in files})
    assert texts[0] == texts[1]
    assert not [path for path, text in texts[0].items() if str(tmp_path) in text or str(Path.cwd()) in text]
