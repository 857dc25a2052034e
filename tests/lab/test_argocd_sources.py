"""Where Argo CD gets its sources: a private repository; the chart of clusters/postgres-ha.yaml and its values."""

import json

import pytest
from gitops_lab import Workshop, application, kubectl, refresh
from running_lab import ROOT, Database, eventually, run

from lab import git_server
from pgha.config import load
from pgha.engines import plan
from pgha.gitops import tree

pytestmark = [pytest.mark.lab, pytest.mark.long]


@pytest.fixture
def checkout(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A working copy with the description of cluster `gitops`, pushed; nothing of it is applied."""
    extra = run(".venv/bin/lab", "up", "--with", "argocd")
    assert extra.code == 0, extra.out
    found = Workshop(tmp_path_factory.mktemp("sources"), repository="sources")
    found.commit("a description")
    return found


def test_a_private_repository_takes_credentials(checkout: Workshop) -> None:
    checkout.git("push", "--quiet", "--force", f"{git_server.OUTSIDE}/private/gitops.git", "main")
    app = json.loads(json.dumps(plan(load(checkout.file)).argocd[-1]))
    app["metadata"]["name"] = "private"
    url = f"{git_server.INSIDE}/private/gitops.git"
    app["spec"] |= {"project": "default", "syncPolicy": {}}
    app["spec"]["source"]["repoURL"] = url
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "repository-private",
            "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {
            "type": "git",
            "url": url,
            "username": git_server.USER,
            "password": git_server.read_secret("git", "git-users", "password"),
        },
    }
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(app))
        eventually(lambda: "authentication required" in conditions("private"), within=180)
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(secret))
        refresh("private")
        # It may still warn that another Application has the same objects: what is asked is whether it can read.
        eventually(lambda: "authentication" not in conditions("private") and compared("private"), within=180)
    finally:
        for kind in ("applications.argoproj.io/private", "secret/repository-private"):
            kubectl("delete", "--namespace=argocd", "--ignore-not-found", kind)


def compared(name: str) -> bool:
    return bool((application(name).get("status") or {}).get("sync", {}).get("revision"))


def conditions(name: str) -> str:
    status = application(name).get("status") or {}
    return json.dumps([entry["message"] for entry in status.get("conditions") or []])


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: postgresql-ha\nversion: 12.8.2\n",
    "templates/statefulset.yaml": """\
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: {{ .Values.fullnameOverride }}-postgresql }
spec:
  replicas: {{ .Values.postgresql.replicaCount }}
  serviceName: postgres-ha
  selector: { matchLabels: { app: postgres-ha } }
  template:
    metadata: { labels: { app: postgres-ha } }
    spec: { containers: [{ name: postgresql, image: {{ .Values.postgresql.image.repository }} }] }
""",
}
"""Stands for the chart postgresql-ha, whose registry is not to be had in the lab: the same place in the Application,
the same values file, one object instead of forty. What the real chart makes of the values is for tests/synth."""


def test_the_charts_application_is_accepted(checkout: Workshop) -> None:
    """clusters/postgres-ha.yaml, its three sources resolved by the real Argo CD; nothing is applied."""
    cluster = load(ROOT / "clusters/postgres-ha.yaml")
    settings = cluster.gitops.model_copy(update={"repo_url": f"{git_server.INSIDE}/sources.git"})
    cluster = cluster.model_copy(update={"gitops": settings})
    for path, text in (tree(cluster) | {f"charts/postgresql-ha/{name}": text for name, text in CHART.items()}).items():
        (checkout.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout.folder / path).write_text(text)
    checkout.push("a chart")
    project, app = json.loads(json.dumps(plan(cluster).argocd))
    del app["spec"]["syncPolicy"]["automated"]
    real = dict(app["spec"]["sources"][0])
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(project))
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(app))  # as it is: accepted, and not resolved here
        eventually(lambda: "postgresql-ha" in conditions("postgres-ha"), within=180)
        assert "not permitted" not in conditions("postgres-ha")

        app["spec"]["sources"][0] = {
            "repoURL": settings.repo_url,
            "targetRevision": "main",
            "path": "charts/postgresql-ha",
            "helm": real["helm"],
        }
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(app))
        refresh("postgres-ha")
        eventually(lambda: len(application("postgres-ha")["status"].get("resources", [])) > 5, within=180)
        assert conditions("postgres-ha") == "[]"
        found = {(entry["kind"], entry["name"]) for entry in application("postgres-ha")["status"]["resources"]}
        assert ("StatefulSet", "postgres-ha-postgresql") in found  # named by the values file of the second source
        assert ("NetworkPolicy", "postgres-ha-pgpool") in found  # of the third
    finally:
        for kind in ("applications.argoproj.io", "appprojects.argoproj.io"):
            kubectl("delete", "--namespace=argocd", "--ignore-not-found", f"{kind}/postgres-ha")
