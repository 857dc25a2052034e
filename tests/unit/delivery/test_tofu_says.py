"""What OpenTofu says when it fails, as a sentence with its remedy; and its state as a value."""

import json
from pathlib import Path

import pytest

from pgha.delivery.diagnostics import Diagnostic, complaint
from pgha.delivery.stack import Stack, identify
from pgha.delivery.state import State

LOCK = """Error message: the state is already locked by another tofu client
Lock Info:
  ID:        b2f0c0de-1111-2222-3333-444455556666
  Path:
  Operation: OperationTypeApply
  Who:       anna@laptop
  Version:   1.12.6
  Created:   2026-11-21 17:00:00.1 +0000 UTC
  Info:
"""


def said(summary: str, detail: str = "", address: str = "") -> str:
    error = complaint("apply", [Diagnostic(summary=summary, detail=detail, address=address)], Path("/stacks/lab"))
    return f"{error}"


def test_a_lock_says_whose_it_is_and_how_to_open_it() -> None:
    text = said("Error acquiring the state lock", LOCK)
    assert "another OpenTofu works on the state of stack lab (anna@laptop since 2026-11-21 17:00:00.1" in text
    assert "tofu force-unlock b2f0c0de-1111-2222-3333-444455556666" in text


def test_a_lock_of_a_local_state_names_nobody() -> None:
    text = said("Error acquiring the state lock", "resource temporarily unavailable")
    assert "another OpenTofu works on the state of stack lab; wait until it is done" in text


@pytest.mark.parametrize(
    "detail",
    [
        'Patch "https://127.0.0.1:6443/apis": dial tcp 127.0.0.1:6443: connect: connection refused',
        'Get "https://127.0.0.1:6443/api": EOF',
        "read tcp 127.0.0.1:1->127.0.0.1:6443: read: connection reset by peer",
    ],
)
def test_an_api_server_that_went_away(detail: str) -> None:
    text = said("Error waiting for operation to complete", detail)
    assert "the API server went away during tofu apply" in text
    assert "the next run goes on from there" in text


def test_an_operator_whose_webhook_does_not_answer() -> None:
    """The API server is there: it is the operator that is not."""
    detail = 'failed calling webhook "mcluster.cnpg.io": dial tcp 10.96.56.193:443: connect: connection refused'
    text = said("API response status: Failure", detail)
    assert "the API server could not ask an operator's webhook" in text
    assert "wait until that operator runs" in text


def test_a_plan_from_before() -> None:
    assert "the state has changed since this plan was made; make a new one: pgha plan lab" in said(
        "Saved plan is stale"
    )


def test_a_state_that_could_not_be_written() -> None:
    text = said("Failed to persist state to backend", "The state is in errored.tfstate")
    assert "it lies in /stacks/lab/errored.tfstate; make the backend answer" in text


def test_anything_else_in_its_own_words() -> None:
    text = said("API response status: Failure", "denied by policy", "kubernetes_manifest.cluster_lab")
    assert (
        "tofu apply failed on kubernetes_manifest.cluster_lab: API response status: Failure: denied by policy" in text
    )


def test_the_first_error_of_plain_text() -> None:
    text = "╷\n│ Error: No such thing\n│ \n│   Write it.\n╵\n"
    assert Diagnostic.from_text(text).sentence == "No such thing: Write it."
    assert Diagnostic.from_text("").summary == "it wrote nothing"


def test_no_state_is_an_empty_one() -> None:
    assert State.parse("").addresses() == set()
    assert State.parse("Warning: something\n").addresses() == set()


def test_a_recorded_secret_has_a_revision_and_no_password() -> None:
    state = State.parse("").with_secret("kubernetes_secret_v1.x", "db-ns", "db-app", 3)
    assert state.attributes("kubernetes_secret_v1.x") == {
        "id": "db-ns/db-app",
        "data_wo_revision": 3,
        "wait_for_service_account_token": True,
    }
    again = State.parse(f"Warning: x\n{state.text()}").with_secret("kubernetes_secret_v1.x", "db-ns", "db-app", 4)
    assert (again.content["serial"], again.content["lineage"]) == (2, state.content["lineage"])
    assert again.addresses() == {"kubernetes_secret_v1.x"}


def test_a_tainted_resource_is_known() -> None:
    one = {"mode": "managed", "type": "t", "name": "n", "instances": [{"status": "tainted", "attributes": {}}]}
    assert State({"resources": [one]}).tainted() == ["t.n"]


def test_an_object_is_the_same_in_stack_state_and_plan() -> None:
    meta = {"name": "db-app", "namespace": "db-ns"}
    found = {identify("kubernetes_secret_v1.x", {"metadata": value}).import_id for value in (meta, [meta])}
    assert found == {"db-ns/db-app"}
    obj = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db", "namespace": "db-ns"}}
    for values in ({"manifest": obj}, {"manifest": None, "object": obj}):
        cluster = identify("kubernetes_manifest.cluster_db", values)
        assert cluster.import_id == "apiVersion=postgresql.cnpg.io/v1,kind=Cluster,namespace=db-ns,name=db"
    assert identify("helm_release.x", {"namespace": "db-ns", "name": "db"}).import_id == "db-ns/db"


def test_the_guards_are_lifted_beside_the_stack(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_text(
        json.dumps({"resource": {"t": {"a": {"lifecycle": {"prevent_destroy": True}}, "b": {}}}})
    )
    assert Stack.read(tmp_path).unguarded() == {"resource": {"t": {"a": {"lifecycle": {"prevent_destroy": False}}}}}
