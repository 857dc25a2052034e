"""Which running objects OpenTofu takes over, which it notes, and which it leaves to their owner."""

from pathlib import Path
from typing import Any, cast

import pytest
from api_server import Server

from pgha.config.problems import UserError
from pgha.delivery import adoption, planning
from pgha.delivery.kubernetes import Api
from pgha.delivery.stack import Stack
from pgha.delivery.state import State
from pgha.delivery.tofu import Tofu
from pgha.resources.metadata import REVISION, labels
from tests.support import balancer, sample

CLUSTER = sample(network=balancer())
NAMESPACE = "/api/v1/namespaces/db-ns"
SECRET = f"{NAMESPACE}/secrets/db-app"
POOL = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/db"
RUNS = "/apis/postgresql.cnpg.io/v1/namespaces/db-ns/clusters/db"


def manifest(api_version: str, kind: str, namespace: str) -> dict[str, Any]:
    meta = {"name": "db", "namespace": namespace}
    return {"manifest": {"apiVersion": api_version, "kind": kind, "metadata": meta}}


STACK = Stack(
    "db",
    {
        "resource": {
            "kubernetes_namespace_v1": {"namespace": {"metadata": {"name": "db-ns"}}},
            "kubernetes_secret_v1": {
                "secret_db_app": {"metadata": {"name": "db-app", "namespace": "db-ns"}, "data_wo_revision": 2}
            },
            "kubernetes_manifest": {
                "cluster_db": manifest("postgresql.cnpg.io/v1", "Cluster", "db-ns"),
                "ip_address_pool_db": manifest("metallb.io/v1beta1", "IPAddressPool", "metallb-system"),
            },
        }
    },
)


def live(server: Server, path: str, **annotations: str) -> None:
    """An object that runs and is ours."""
    meta = {"name": path.rpartition("/")[2], "uid": "1", "labels": labels(CLUSTER), "annotations": annotations}
    server.objects[path] = {"metadata": meta}


def known(**attributes: dict[str, Any]) -> State:
    """A state with these resources: `type__name` → values."""
    return State(
        {
            "resources": [
                {"mode": "managed", "type": type_, "name": name, "instances": [{"attributes": values}]}
                for (type_, _, name), values in ((key.partition("__"), value) for key, value in attributes.items())
            ]
        }
    )


class FakeTofu:
    """A state, and whether its lock was asked for."""

    def __init__(self, folder: Path, state: State) -> None:
        (folder / ".terraform").mkdir()
        self.folder, self._state, self.asked = folder, state, False

    def state(self) -> State:
        return self._state

    def check_lock(self) -> None:
        self.asked = True


def test_nothing_runs_nothing_is_taken_over(api: Api) -> None:
    assert adoption.find(api, CLUSTER, STACK, State()) == adoption.Adoption()


def test_what_runs_and_is_not_known_is_imported(server: Server, api: Api) -> None:
    for path in (NAMESPACE, RUNS, POOL):
        live(server, path)
    found = adoption.find(api, CLUSTER, STACK, known(kubernetes_manifest__cluster_db={}))
    assert found.blocks() == {
        "import": [
            {"to": "kubernetes_namespace_v1.namespace", "id": "db-ns"},
            {
                "to": "kubernetes_manifest.ip_address_pool_db",
                "id": "apiVersion=metallb.io/v1beta1,kind=IPAddressPool,namespace=metallb-system,name=db",
            },
        ]
    }


def test_a_stranger_outside_the_namespace_is_left_alone(server: Server, api: Api) -> None:
    live(server, POOL)
    server.objects[POOL]["metadata"]["labels"] = {}
    with pytest.raises(UserError, match="IPAddressPool metallb-system/db exists and is not this cluster's") as refused:
        adoption.find(api, CLUSTER, STACK, State())
    assert "kubectl label IPAddressPool -n metallb-system db app.kubernetes.io/name=postgresql" in refused.value.remedy


@pytest.mark.parametrize(
    ("noted", "in_state", "recorded"),
    [
        ("2", None, 2),  # applied server-side
        ("1", None, 1),  # and the file asks for new passwords since: the plan will renew them
        ("", None, 2),  # made by hand: used as it is
        ("2", 1, 2),  # renewed beside OpenTofu: not once more
        ("1", 1, None),  # to be renewed, by the plan
        ("2", 2, None),  # as it should be
        ("7", 2, None),  # somebody wrote into the annotation; the state is right
    ],
)
def test_a_secret_is_noted_with_its_revision(
    server: Server, api: Api, noted: str, in_state: int | None, recorded: int | None
) -> None:
    live(server, SECRET, **({REVISION: noted} if noted else {}))
    attributes = {} if in_state is None else {"kubernetes_secret_v1__secret_db_app": {"data_wo_revision": in_state}}
    found = adoption.find(api, CLUSTER, STACK, known(**attributes))
    assert [revision for _, revision in found.records] == ([] if recorded is None else [recorded])
    if recorded is not None:
        assert found.recorded(State()).attributes("kubernetes_secret_v1.secret_db_app") == {
            "id": "db-ns/db-app",
            "data_wo_revision": recorded,
            "wait_for_service_account_token": True,
        }


def stranger(api: Api, folder: Path, state: State) -> tuple[bool, bool]:
    """The answer, and whether the lock was asked for."""
    tofu = FakeTofu(folder, state)
    return planning.is_stranger(api, CLUSTER, cast("Tofu", tofu)), tofu.asked


def test_a_new_cluster_is_nobodys(api: Api, tmp_path: Path) -> None:
    assert stranger(api, tmp_path, State()) == (False, False)


def test_a_cluster_that_the_state_knows(server: Server, api: Api, tmp_path: Path) -> None:
    live(server, NAMESPACE)
    state = known(kubernetes_namespace_v1__namespace={"metadata": [{"uid": "1"}]})
    assert stranger(api, tmp_path, state) == (False, False)


@pytest.mark.parametrize(
    "state",
    [State(), known(kubernetes_namespace_v1__namespace={"metadata": [{"uid": "of an earlier one"}]})],
    ids=["no state", "the state of one that is gone"],
)
def test_a_cluster_that_the_state_does_not_know(server: Server, api: Api, tmp_path: Path, state: State) -> None:
    """Perhaps another apply has made it a moment ago: then its lock says so."""
    live(server, NAMESPACE)
    assert stranger(api, tmp_path, state) == (True, True)


def test_an_apply_that_was_killed_here_is_continued(server: Server, api: Api, tmp_path: Path) -> None:
    live(server, NAMESPACE)
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "pgha-begun").touch()
    tofu = cast("Tofu", type("T", (), {"folder": tmp_path})())
    assert not planning.is_stranger(api, CLUSTER, tofu)
