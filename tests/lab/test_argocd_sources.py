"""Where Argo CD gets its sources: a private repository; the chart of clusters/postgres-ha.yaml and its values."""

import json
import re
from typing import Any

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
    url = private(checkout, git_server.INSIDE)
    try:
        eventually(lambda: "authentication required" in conditions("private"), within=180)
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(credentials(url)))
        refresh("private")
        # It may still warn that another Application has the same objects: what is asked is whether it can read.
        eventually(lambda: "authentication" not in conditions("private") and compared("private"), within=180)
    finally:
        clear()


def test_https_takes_the_authority_of_its_certificate(checkout: Workshop) -> None:
    """The same repository behind a certificate that nobody in the lab knows, as many keep one at home."""
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(terminating_tls()))
        kubectl("wait", "--for=condition=Ready", "--namespace=git", "pod/tls", "--timeout=120s")
        url = private(checkout, f"https://{TLS_HOST}")
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(credentials(url)))
        refresh("private")
        eventually(lambda: "certificate" in conditions("private"), within=180)
        assert not compared("private")

        certificate = kubectl("exec", "--namespace=git", "tls", "--", "cat", "/tmp/crt")
        trusted = {"data": {TLS_HOST: certificate}}
        words = ("--namespace=argocd", "--type=merge", f"--patch={json.dumps(trusted)}")
        kubectl("patch", "configmap/argocd-tls-certs-cm", *words)
        # The repository server sees a changed ConfigMap when its kubelet has: within about a minute.
        eventually(lambda: compared_now("private"), within=240, every=5)
    finally:
        clear()
        kubectl("delete", "--namespace=git", "--ignore-not-found", "--grace-period=1", "pod/tls", "service/tls")
        untrusted = json.dumps({"data": {TLS_HOST: None}})
        kubectl("patch", "configmap/argocd-tls-certs-cm", "--namespace=argocd", "--type=merge", f"--patch={untrusted}")


def private(checkout: Workshop, server: str) -> str:
    """Push to where only credentials may read, and make Application `private` of it, which applies nothing."""
    checkout.git("push", "--quiet", "--force", f"{git_server.OUTSIDE}/private/gitops.git", "main")
    app = json.loads(json.dumps(plan(load(checkout.file)).argocd[-1]))
    app["metadata"]["name"] = "private"
    app["spec"] |= {"project": "default", "syncPolicy": {}}
    app["spec"]["source"]["repoURL"] = url = f"{server}/private/gitops.git"
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(app))
    return url


def credentials(url: str) -> dict[str, Any]:
    """What docs/how-to/argocd-layouts.md shows."""
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    password = git_server.read_secret("git", "git-users", "password")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "repository-private", "namespace": "argocd", "labels": labels},
        "stringData": {"type": "git", "url": url, "username": git_server.USER, "password": password},
    }


def clear() -> None:
    for name in ("applications.argoproj.io/private", "secret/repository-private"):
        kubectl("delete", "--namespace=argocd", "--ignore-not-found", name)


TLS_HOST = "tls.git.svc.cluster.local"
TERMINATE = """\
import asyncio, ssl

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/tmp/crt", "/tmp/key")

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    server = await asyncio.open_connection("git", 80)
    await asyncio.gather(copy(reader, server[1]), copy(server[0], writer), return_exceptions=True)

async def main():
    async with await asyncio.start_server(serve, port=8443, ssl=context) as server:
        await server.serve_forever()

asyncio.run(main())
"""
CERTIFICATE = f"""\
openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
  -subj /CN={TLS_HOST} -addext subjectAltName=DNS:{TLS_HOST} -keyout /tmp/key -out /tmp/crt
exec python3 -c "$TERMINATE"
"""


def terminating_tls() -> dict[str, Any]:
    """A pod that speaks TLS, with a certificate that it makes and signs itself, in front of the lab's Git server."""
    container = {
        "name": "tls",
        "image": "lab.local/git-server:1",
        "command": ["tini", "--", "sh", "-ec", CERTIFICATE],
        "env": [{"name": "TERMINATE", "value": TERMINATE}],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "resources": {"requests": {"memory": "16Mi"}, "limits": {"memory": "128Mi"}},
    }
    meta = {"name": "tls", "namespace": "git"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"labels": meta}, "spec": {"containers": [container]}}
    ports = [{"port": 443, "targetPort": 8443}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": meta, "ports": ports}}
    return {"apiVersion": "v1", "kind": "List", "items": [pod, service]}


def compared(name: str) -> bool:
    """With a commit: while it cannot read, Argo CD records the branch's name in its place."""
    revision = (application(name).get("status") or {}).get("sync", {}).get("revision", "")
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def compared_now(name: str) -> bool:
    refresh(name)
    return compared(name)


def resolving(name: str) -> bool:
    """Argo CD may read every source, and has tried the chart's."""
    said = conditions(name)
    return "postgresql-ha" in said and "not permitted" not in said


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
    narrow = project | {"spec": project["spec"] | {"sourceRepos": [real["repoURL"]]}}
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(narrow))
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(app))
        eventually(lambda: f"{settings.repo_url} is not permitted in project" in conditions("postgres-ha"), within=180)
        assert not application("postgres-ha")["status"].get("resources")

        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(project))
        refresh("postgres-ha")  # as it is: accepted, and not resolved here
        eventually(lambda: resolving("postgres-ha"), within=180)

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
