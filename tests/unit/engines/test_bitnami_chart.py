"""The real chart with our values: every key is the chart's, and what comes out is what was meant.

Where it cannot be had (tests/charts.py) they are skipped, loudly.
"""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.engines.bitnami import chart as facts
from tests import charts
from tests.support import ROOT, balancer, postgres_ha, trio

PASSED_ON = {"podSecurityContext", "image", "labels", "annotations", "podAnnotations", "customMetrics", "affinity"}
"""Mappings that the templates copy whole: what is inside them is Kubernetes' and not the chart's."""

CLUSTERS = {
    "postgres-ha": postgres_ha(),
    "trio": trio(monitoring={"enabled": True}),
    "tls": trio(network=balancer() | {"tls": "required"}, postgresql={"audit": True}),
}


@pytest.fixture(scope="session")
def chart() -> Path:
    return charts.chart()


@pytest.fixture(scope="session", params=CLUSTERS)
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return CLUSTERS[request.param]


@pytest.fixture(scope="session")
def rendered(cluster: Cluster) -> list[dict[str, Any]]:
    return charts.rendered(cluster)


def unknown(values: dict[str, Any], known: dict[str, Any], path: str = "") -> list[str]:
    """Keys that the chart's own values do not have: it would ignore them in silence."""
    found = []
    for key, value in values.items():
        if key not in known:
            found.append(f"{path}{key}")
        elif isinstance(value, dict) and known[key] and key not in PASSED_ON:
            found += unknown(value, known[key], f"{path}{key}.")
    return found


def pods(rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [o["spec"]["template"]["spec"] for o in rendered if o["kind"] in {"StatefulSet", "Deployment"}]


def test_every_key_is_the_charts(chart: Path, cluster: Cluster) -> None:
    release = plan(cluster).release
    assert release is not None
    assert unknown(release.values, YAML(typ="safe").load(chart / "values.yaml")) == []


def test_nothing_but_what_the_project_may_apply_comes_out(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    release = plan(cluster).release
    assert release is not None
    made = {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj in rendered}
    assert made == set(release.kinds)


def test_no_api_comes_out_that_kubernetes_has_removed(rendered: list[dict[str, Any]]) -> None:
    assert [obj["apiVersion"] for obj in rendered if "beta" in obj["apiVersion"]] == []


def test_no_secret_and_no_password_comes_out(rendered: list[dict[str, Any]]) -> None:
    assert [obj for obj in rendered if obj["kind"] == "Secret"] == []
    for pod in pods(rendered):
        for container in pod["containers"]:
            named = [entry for entry in container["env"] if "PASS" in entry["name"] and "value" in entry]
            assert all(entry["value"].startswith("$(PGHA_PASSWORD_") for entry in named)


def test_every_container_may_run_where_only_restricted_pods_may(rendered: list[dict[str, Any]]) -> None:
    for pod in pods(rendered):
        assert {name for volume in pod["volumes"] for name in volume} <= {"name", "configMap", "secret", "emptyDir"}
        for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
            both = pod["securityContext"] | container["securityContext"]
            assert both["runAsNonRoot"] is True, container["name"]
            assert both["runAsUser"] == 1001, container["name"]
            assert both["allowPrivilegeEscalation"] is False, container["name"]
            assert both["capabilities"] == {"drop": ["ALL"]}, container["name"]
            assert both["seccompProfile"] == {"type": "RuntimeDefault"}, container["name"]


def test_every_image_is_ours_and_exact(rendered: list[dict[str, Any]]) -> None:
    for pod in pods(rendered):
        for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
            assert container["image"].startswith("docker.io/bitnamilegacy/"), container["image"]
            assert container["image"].count(":") == 1


def test_names_are_the_seeds(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in rendered}
    assert ("StatefulSet", f"{cluster.name}-postgresql") in names
    assert ("Deployment", f"{cluster.name}-pgpool") in names
    assert {("Service", f"{cluster.name}-{part}") for part in ("pgpool", "postgresql", "postgresql-headless")} <= names


def test_selectors_of_ours_find_the_charts_pods(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    labels = [
        o["spec"]["template"]["metadata"]["labels"] for o in rendered if o["kind"] in {"StatefulSet", "Deployment"}
    ]
    for component in ("postgresql", "pgpool"):
        assert any(facts.selector(cluster, component).items() <= found.items() for found in labels)


def test_two_servers_with_volumes_that_stay(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    (server,) = [o for o in rendered if o["kind"] == "StatefulSet" and o["metadata"]["name"].endswith("-postgresql")]
    assert server["spec"]["replicas"] == cluster.instances
    assert server["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = server["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "Prune=false,Delete=false" in claim["metadata"]["annotations"].values()


def test_the_address_of_a_server_that_is_not_ready_is_published(rendered: list[dict[str, Any]]) -> None:
    (headless,) = [o for o in rendered if o["metadata"]["name"].endswith("-headless")]
    assert headless["spec"]["publishNotReadyAddresses"] is True


def test_no_folder_in_a_volume_is_left_to_the_container_runtime(rendered: list[dict[str, Any]]) -> None:
    """What is mounted below a volume gets its folder there, as root, unless it exists: the server cannot write."""
    found = 0
    for pod in pods(rendered):
        made = [command[-1] for each in pod.get("initContainers") or [] if (command := each["command"])[0] == "mkdir"]
        for container in pod["containers"]:
            paths = [mount["mountPath"].rstrip("/") for mount in container["volumeMounts"]]
            inside = [path for path in paths if path.startswith("/bitnami/postgresql/")]
            found += len(inside)
            assert {path.rpartition("/")[0] for path in inside} <= set(made)
    assert found == 1


def test_no_service_of_the_chart_is_open_to_the_lan(rendered: list[dict[str, Any]]) -> None:
    assert {obj["spec"]["type"] for obj in rendered if obj["kind"] == "Service"} == {"ClusterIP"}


def test_no_object_of_ours_is_the_charts_too(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    planned = plan(cluster)
    ours = {(o["kind"], o["metadata"]["name"]) for o in [*planned.stack, *planned.tree]}
    assert ours & {(o["kind"], o["metadata"]["name"]) for o in rendered} == set()


def test_probes_exist_where_they_are_called(rendered: list[dict[str, Any]], cluster: Cluster) -> None:
    planned = plan(cluster)
    every = [*planned.stack, *planned.tree]
    files = next(o["data"] for o in every if o["metadata"]["name"] == f"{cluster.name}-servers")
    for pod in pods(rendered):
        for container in pod["containers"]:
            for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
                program = (container.get(kind) or {}).get("exec", {}).get("command", [""])[0]
                assert not program.startswith("/pgha/") or program.removeprefix("/pgha/") in files


def test_the_committed_values_are_what_was_rendered() -> None:
    path = ROOT / "kubernetes" / "applications" / "postgres-ha" / "values" / "postgresql-values.yaml"
    release = plan(postgres_ha()).release
    assert release is not None
    assert YAML(typ="safe").load(path) == release.values
