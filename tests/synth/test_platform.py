"""The stack `platform`: which operators it installs, and that their loss is survived."""

import importlib
import json
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.stacks import PlatformStack
from tests.support import lab, postgres_ha, sample

cdktf = importlib.import_module("cdktf")  # after pgha.stacks, which chooses its Node

STORE = {"destination": "s3://backups/db", "credentialsSecret": "keys"}
AWS = {"source": "aws-secrets-manager", "awsSecretsManager": {"userKeys": {"app": "postgres/app-credentials"}}}


def platform(*clusters: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cdktf.Testing.synth(PlatformStack(cdktf.Testing.app(), clusters)))
    return found


def releases(*clusters: Cluster) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = platform(*clusters)["resource"]["helm_release"]
    return found


@pytest.fixture(scope="module")
def operator() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(releases()["cloudnative_pg"]["values"][0])
    return values


def test_two_operators_never_share_a_node(operator: dict[str, Any]) -> None:
    assert operator["replicaCount"] == 2
    (spread,) = operator["topologySpreadConstraints"]
    assert (spread["whenUnsatisfiable"], spread["topologyKey"]) == ("DoNotSchedule", "kubernetes.io/hostname")
    # What the chart's selectorLabels are, with the release's own name.
    assert spread["labelSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "cloudnative-pg",
        "app.kubernetes.io/instance": "cloudnative-pg",
    }


def test_an_operator_leaves_a_dead_node_at_once(operator: dict[str, Any]) -> None:
    assert {one["key"]: one["tolerationSeconds"] for one in operator["tolerations"]} == {
        "node.kubernetes.io/not-ready": 5,
        "node.kubernetes.io/unreachable": 5,
    }


def test_the_other_operator_takes_over_before_a_dead_node_is_known(operator: dict[str, Any]) -> None:
    """controller-runtime wants the lease longer than the renewal, and that longer than its retry of 2 s x 1.2."""
    timers = dict(argument.removeprefix("--leader-").split("=") for argument in operator["additionalArgs"])
    assert timers == {"lease-duration": "6", "renew-deadline": "4"}


def test_a_standby_does_not_wait_long_for_a_dead_primary(operator: dict[str, Any]) -> None:
    assert operator["config"] == {"data": {"STANDBY_TCP_USER_TIMEOUT": "2000"}}


def test_a_drain_takes_one_operator_at_a_time() -> None:
    (budget,) = platform()["resource"]["kubernetes_pod_disruption_budget_v1"].values()
    assert budget["spec"]["max_unavailable"] == "1"
    assert budget["spec"]["selector"]["match_labels"]["app.kubernetes.io/name"] == "cloudnative-pg"


@pytest.mark.parametrize(
    ("cluster", "more"),
    [
        (lab(), set()),
        (sample(credentials=AWS), {"external_secrets"}),
        (sample(backup={"objectStore": STORE}), {"cert_manager", "plugin_barman_cloud"}),
        (postgres_ha().model_copy(update={"network": postgres_ha().network.model_copy(update={"tls": "required"})}),
         {"cert_manager"}),
    ],
    ids=["nothing more", "External Secrets", "physical backups", "the chart with TLS"],
)  # fmt: skip
def test_the_rest_is_installed_where_a_cluster_needs_it(cluster: Cluster, more: set[str]) -> None:
    assert set(releases(cluster)) == {"metallb", "cloudnative_pg"} | more


def test_the_backup_plugin_waits_for_operator_and_certificates() -> None:
    plugin = releases(sample(backup={"objectStore": STORE}))["plugin_barman_cloud"]
    assert set(plugin["depends_on"]) == {"helm_release.cloudnative_pg", "helm_release.cert_manager"}
    assert plugin["namespace"] == "${kubernetes_namespace_v1.namespace_cnpg_system.metadata[0].name}"


def test_every_release_is_pinned_waited_for_and_kept() -> None:
    found = releases(sample(backup={"objectStore": STORE}, credentials=AWS))
    assert {one["chart"]: one["version"] for one in found.values()} == {
        "metallb": "0.16.1",
        "cloudnative-pg": "0.29.0",
        "external-secrets": "2.9.0",
        "cert-manager": "v1.21.2",
        "plugin-barman-cloud": "0.7.0",
    }
    for one in found.values():
        assert one["atomic"] is True  # which waits, and takes back what did not become ready
        assert one["timeout"] == 600
        assert one["lifecycle"] == {"prevent_destroy": True}
