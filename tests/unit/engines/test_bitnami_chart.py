"""The real chart with our values: every key is the chart's, and what comes out is what was meant.

Needs the chart: from its registry, or unpacked (with its dependency) in the folder that PGHA_CHARTS names.
"""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import programs
from lab.steps import LabError
from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.engines.bitnami import chart as facts
from tests.support import ROOT, balancer, postgres_ha, trio

PASSED_ON = {"podSecurityContext", "image", "labels", "annotations", "podAnnotations", "customMetrics", "affinity"}
"""Mappings that the templates copy whole: what is inside them is Kubernetes' and not the chart's."""

CLUSTERS = {
    "postgres-ha": postgres_ha(),
    "trio": trio(monitoring={"enabled": True}),
    "tls": trio(network=balancer() | {"tls": "required"}, postgresql={"audit": True}),
}


@pytest.fixture(scope="session")
def helm() -> Path:
    """This machine's, or one built from tools/helm where there is a chart to render."""
    if found := shutil.which("helm"):
        return Path(found)
    if "PGHA_CHARTS" not in os.environ and not reachable():
        pytest.skip(f"NOT RUN: there is no chart to render: {facts.REPOSITORY} is out of reach, PGHA_CHARTS not set")
    try:
        return programs.build(programs.tool("helm")) / "helm"
    except LabError as error:
        pytest.skip(f"NOT RUN: no helm on PATH, and none can be built to render the chart with: {error}")


def reachable() -> bool:
    """Whether the chart's registry answers, if only that it wants a login."""
    host = facts.REPOSITORY.removeprefix("oci://").partition("/")[0]
    try:
        with urllib.request.urlopen(f"https://{host}/v2/", timeout=10):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False


@pytest.fixture(scope="session")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if folder := os.environ.get("PGHA_CHARTS"):
        return Path(folder) / facts.CHART
    folder = tmp_path_factory.mktemp("charts")
    command = [helm, "pull", f"{facts.REPOSITORY}/{facts.CHART}", "--version", facts.VERSION, "--untar"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("NOT RUN: the chart's registry did not answer within 60 s")
    if done.returncode:
        pytest.skip(f"NOT RUN: the chart cannot be pulled: {done.stderr.strip().splitlines()[-1]}")
    return folder / facts.CHART


@pytest.fixture(scope="session", params=CLUSTERS)
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return CLUSTERS[request.param]


@pytest.fixture(scope="session")
def rendered(
    helm: Path, chart: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    release = plan(cluster).release
    assert release is not None
    file = tmp_path_factory.mktemp("values") / "values.json"
    file.write_text(json.dumps(release.values))
    command = [helm, "template", release.name, chart, "--namespace", cluster.namespace, "--values", file]
    command += ["--kube-version", "1.33.0"]  # one that was built without its flags takes 1.20 for granted
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [obj for obj in YAML(typ="safe").load_all(done.stdout) if obj]


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
