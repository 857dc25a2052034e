"""Everything that can be in the way is one sentence with its remedy, and nothing is written."""

import socket
from pathlib import Path

import pytest
from api_server import Server, running

from pgha.config.problems import UserError
from pgha.delivery import kubernetes, waiting
from pgha.delivery.kubernetes import Api
from pgha.delivery.preflight import check
from pgha.engines import plan
from tests.support import lab

NAMESPACE = "/api/v1/namespaces/lab-postgresql"


def namespace(**labels: str) -> dict[str, object]:
    meta = {
        "name": "lab-postgresql",
        "resourceVersion": "1",
        "labels": {f"app.kubernetes.io/{k}": v for k, v in labels.items()},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "status": {"phase": "Active"}}


def test_a_server_that_can_take_it_is_only_asked(server: Server, api: Api) -> None:
    check(api, lab(), plan(lab()))
    assert server.writes == []
    assert len(server.dry_runs) == 3  # Namespace, pool and advertisement: the rest has no namespace to be tried in


def test_objects_inside_a_namespace_of_ours_are_tried_too(server: Server, api: Api) -> None:
    server.objects[NAMESPACE] = namespace(**{"managed-by": "pgha", "instance": "lab"})
    check(api, lab(), plan(lab()))
    assert len(server.dry_runs) == len(plan(lab()).stack)


def test_fails_when_nothing_listens(tmp_path: Path) -> None:
    with running() as server:
        kubeconfig = server.kubeconfig(tmp_path)
    with pytest.raises(UserError, match=r"the API server http://127\.0\.0\.1:\d+ does not answer: .*refused; start it"):
        check(Api.connect(kubeconfig), lab(), plan(lab()))


def test_fails_when_nobody_answers(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig = server.kubeconfig(tmp_path)
        text = kubeconfig.read_text().replace(str(server.server_address[1]), str(silent.getsockname()[1]))
        kubeconfig.write_text(text)
        with pytest.raises(UserError, match="does not answer: no answer in 0 s"):
            _ = Api.connect(kubeconfig).version


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, '{"message": "Unauthorized"}', "does not accept our credentials; log in again"),
        (403, '{"message": "user x cannot get y"}', "forbids it: user x cannot get y; ask for the right"),
        (200, "<html>a router</html>", "does not speak like a Kubernetes API server; check the server"),
        (500, '{"message": "etcd is away"}', r"fails on /version \(500\): etcd is away; look at its log"),
    ],
    ids=["401", "403", "not Kubernetes", "500"],
)
def test_fails_when_the_server_says(server: Server, api: Api, status: int, body: str, words: str) -> None:
    server.answers["*"] = [(status, body)]
    with pytest.raises(UserError, match=words):
        check(api, lab(), plan(lab()))
    assert server.writes == []


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (
            "/apis/postgresql.cnpg.io/v1",
            r"knows no Cluster \(postgresql.cnpg.io/v1\); install the CloudNativePG operator",
        ),
        ("/apis/metallb.io/v1beta1", r"knows no IPAddressPool \(metallb.io/v1beta1\); install MetalLB"),
    ],
)
def test_fails_without_an_operator(server: Server, api: Api, group: str, words: str) -> None:
    del server.groups[group]
    with pytest.raises(UserError, match=words):
        check(api, lab(), plan(lab()))
    assert (server.writes, server.dry_runs) == ([], [])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "exists and was not made by pgha; choose another one, or hand it over: kubectl label"),
        ({"managed-by": "pgha", "instance": "other"}, "belongs to cluster other, not to lab; choose another"),
    ],
    ids=["a stranger's", "another cluster's"],
)
def test_fails_when_the_namespace_is(server: Server, api: Api, labels: dict[str, str], words: str) -> None:
    server.objects[NAMESPACE] = namespace(**labels)
    with pytest.raises(UserError, match=words):
        check(api, lab(), plan(lab()))
    assert (server.writes, server.dry_runs) == ([], [])


def test_fails_when_a_webhook_refuses(server: Server, api: Api) -> None:
    pool = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/lab"
    server.answers[pool] = [(400, '{"message": "overlaps with pool office"}')]
    with pytest.raises(
        UserError, match="refuses IPAddressPool metallb-system/lab: overlaps with pool office; mend the"
    ):
        check(api, lab(), plan(lab()))


def test_a_webhook_that_is_just_starting_is_waited_for(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes, "_RETRY_SECONDS", 0.01)
    starting = '{"message": "failed calling webhook: connection refused"}'
    server.answers["/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/lab"] = [(500, starting), (0, "")]
    check(api, lab(), plan(lab()))
    assert len(server.dry_runs) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: .*No such file.*; name one with KUBECONFIG"),
        ("{", "cannot be read"),
        ("{}", "has no current context|cannot be read"),
        ("just words", "cannot be read"),
    ],
    ids=["missing", "not YAML", "empty", "not a mapping"],
)
def test_fails_on_a_kubeconfig_that_is(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=words):
        Api.connect(path)


def test_the_deadline_names_pods_and_warnings(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0.01)
    server.objects["/api/v1/namespaces/lab-postgresql/pods/lab-1"] = {
        "metadata": {"name": "lab-1", "labels": {"cnpg.io/cluster": "lab", "cnpg.io/podRole": "instance"}},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}],
        },
    }
    server.objects["/api/v1/namespaces/lab-postgresql/events/e"] = {
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/3 nodes\nare available",
        "involvedObject": {"kind": "Pod", "name": "lab-2"},
    }
    said: list[str] = []
    with pytest.raises(UserError) as caught:
        waiting.until_ready(api, lab(), timeout=0.05, say=said.append)
    assert caught.value.what == (
        "cluster lab is not ready after 0 s: the Cluster does not exist\n"
        "  pod lab-1: Pending, ImagePullBackOff: no such image\n"
        "  event Pod lab-2: FailedScheduling: 0/3 nodes are available"
    )
    assert set(said) == {"the Cluster does not exist"}


def test_waiting_does_not_outlast_a_kubeconfig_of_another_server(server: Server, api: Api) -> None:
    server.answers["*"] = [(401, "{}")]
    with pytest.raises(UserError, match="does not accept our credentials"):
        waiting.until_ready(api, lab(), timeout=30, say=lambda _: None)
