"""Engine bitnami before a real API server: what it makes of clusters/postgres-ha.yaml is accepted, all of it.

Nothing is kept: every request is a server-side dry run, with defaults, validation, webhooks and admission, in a
namespace with the labels of the cluster's own. The chart runs nowhere here: its images cannot be had.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from custom_resources import install_crds
from running_lab import Database

from pgha.config.model import Cluster
from pgha.engines import plan
from tests import charts
from tests.support import balancer, postgres_ha, trio

pytestmark = pytest.mark.lab

NAMESPACE = "accepted"
POOL = ["192.168.77.100-192.168.77.110"]
"""Not the sample's own: MetalLB's webhook refuses pools that overlap, and the lab's pool has those addresses."""


def here(cluster: Cluster) -> Cluster:
    """The same in the namespace of this test."""
    balancer = cluster.network.load_balancer
    assert balancer is not None
    elsewhere = balancer.model_copy(
        update={"address": "192.168.77.100", "pool": balancer.pool.model_copy(update={"addresses": POOL})}
    )
    return cluster.model_copy(
        update={
            "namespace": NAMESPACE,
            "network": cluster.network.model_copy(update={"load_balancer": elsewhere}),
            "gitops": cluster.gitops.model_copy(update={"argocd_namespace": NAMESPACE}),
        }
    )


CLUSTERS = {
    "postgres-ha": here(postgres_ha()),
    "everything": here(
        trio(
            delivery="argocd",
            network=balancer(hostname="db.example.com") | {"namespaces": ["shop"]},
            monitoring={"enabled": True},
            backup={"volume": {"size": "20Gi", "nfsServer": "192.168.20.5", "nfsPath": "/backups/trio"}},
            gitops={"repoURL": "https://git.example.com/clusters.git"},
        )
    ),
}


@pytest.fixture(scope="module")
def server(database: Database) -> Iterator[Database]:
    """The lab with the definitions that the objects need, and a namespace such as the stack makes."""
    install_crds(database, "prometheus-operator")
    install_crds(database, "argo-cd", "core-install.yaml")
    namespace = plan(CLUSTERS["postgres-ha"]).stack[0]
    assert namespace["kind"] == "Namespace"
    database.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))
    yield database
    database.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def accepts(server: Database, objects: list[dict[str, Any]]) -> None:
    """Warnings count too: a field that it does not know, an API on its way out, a pod that may not run there."""
    words = ("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--validate=strict")
    answer = server.kubectl(*words, "--filename=-", stdin="\n---\n".join(json.dumps(obj) for obj in objects))
    assert answer.count("serverside-applied (server dry run)") == len(objects), answer


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that their templates would become: only a pod itself is refused for what it may do."""
    found = []
    for obj in objects:
        spec = obj.get("spec") or {}
        template = (spec.get("jobTemplate") or {}).get("spec", spec).get("template")
        if obj["kind"] in {"Job", "CronJob", "StatefulSet", "Deployment"} and template:
            meta = {"name": f"{obj['metadata']['name']}-pod"[:63], "namespace": NAMESPACE}
            claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or []]
            own = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
            pod = template["spec"] | {"volumes": [*template["spec"].get("volumes", []), *own]}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod})
    return found


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_object_is_accepted(server: Database, name: str) -> None:
    planned = plan(CLUSTERS[name])
    objects = [*planned.stack, *planned.tree]
    kinds = {obj["kind"] for obj in objects}
    assert {"IPAddressPool", "L2Advertisement", "Service", "AppProject", "Application", "PrometheusRule"} <= kinds
    accepts(server, objects)
    assert len(pods(objects)) == 2  # the access job's, and the backup's where there is one
    accepts(server, pods(objects))


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_object_of_the_chart_is_accepted(server: Database, name: str) -> None:
    objects = charts.rendered(CLUSTERS[name])
    for obj in objects:
        obj["metadata"]["namespace"] = NAMESPACE
    account = [obj for obj in objects if obj["kind"] == "ServiceAccount"]
    server.kubectl("apply", "--filename=-", stdin=json.dumps(account[0]))  # a pod is refused without its own
    accepts(server, objects)
    accepts(server, pods(objects))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), "a minute"),
        ("Application", ("spec", "destination"), "here"),
        ("IPAddressPool", ("spec", "addresses"), ["192.168.10.100-192.168.10.110"]),
        ("CronJob", ("spec", "timeZone"), "Madrid"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_what_is_wrong_is_refused(server: Database, kind: str, path: tuple[Any, ...], value: Any) -> None:
    """The server really judges: with one value wrong, each of the definitions and webhooks says no."""
    planned = plan(CLUSTERS["postgres-ha"])
    wrong = json.loads(json.dumps(next(obj for obj in [*planned.stack, *planned.tree] if obj["kind"] == kind)))
    inner = wrong
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(Exception, match=r"(?i)invalid|overlap|expected|must be|unknown"):
        accepts(server, [wrong])
