"""A plan of OpenTofu in words, and the guard before what holds data."""

from typing import Any

import pytest

from pgha.config.problems import UserError
from pgha.delivery.changes import LOSS, Action, Change, StackPlan, guard, read
from pgha.delivery.stack import FOREIGN
from pgha.engines import plan
from pgha.engines.base import Engine
from pgha.engines.bitnami import Bitnami
from pgha.engines.cloudnative_pg import CloudNativePG
from tests.support import balancer, sample, trio


def manifest(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "db-ns"}, "spec": spec}


def entry(actions: list[str], before: Any, after: Any, *, live: Any = None, **more: Any) -> dict[str, Any]:
    """A resource of the plan; `live` is what runs where that is another thing than what was asked for before."""
    asked = {"manifest": after, "object": after} if after else None
    found = {"manifest": before, "object": live or before} if before or live else None
    change = {"actions": actions, "before": found, "after": asked} | more.pop("change", {})
    kind, name = (after or before or live)["kind"], (after or before or live)["metadata"]["name"]
    address = f"kubernetes_manifest.{kind.lower()}_{name}"
    return {"address": address, "mode": "managed", "type": "kubernetes_manifest", "change": change} | more


def planned(*entries: dict[str, Any], **more: Any) -> StackPlan:
    return read({"resource_changes": [*entries]} | more)


def test_what_stays_is_not_told() -> None:
    same = manifest("Cluster", "db", instances=3)
    assert planned(entry(["no-op"], same, same)).is_empty


def test_a_change_names_the_fields_that_differ_from_what_runs() -> None:
    before, after = manifest("Cluster", "db", instances=3), manifest("Cluster", "db", instances=4)
    change = planned(entry(["update"], before, after)).changes[0]
    assert (change.action, change.resource.title) == (Action.CHANGE, "Cluster db-ns/db")
    assert [(field.path, field.old, field.new) for field in change.fields] == [("spec.instances", 3, 4)]
    assert not change.loss


def test_a_change_by_hand_shows_as_what_runs() -> None:
    asked = manifest("Cluster", "db", instances=3)
    change = planned(entry(["update"], asked, asked, live=manifest("Cluster", "db", instances=5))).changes[0]
    assert [(field.path, field.old, field.new) for field in change.fields] == [("spec.instances", 5, 3)]


def test_what_the_provider_writes_otherwise_is_no_change() -> None:
    """A port is kept as text, and an operator fills in what nobody asked for."""
    asked = manifest("NetworkPolicy", "db", ports=[{"port": 5432}], any={})
    live = manifest("NetworkPolicy", "db", ports=[{"port": "5432"}], any=None, more=True)
    assert planned(entry(["update"], asked, asked, live=live)).changes[0].fields == ()


def test_a_field_that_is_asked_for_no_more() -> None:
    before, after = manifest("Cluster", "db", one=1, two=2), manifest("Cluster", "db", one=1)
    fields = planned(entry(["update"], before, after)).changes[0].fields
    assert [(field.path, field.old, field.new) for field in fields] == [("spec.two", 2, None)]


def test_an_import_is_an_adoption() -> None:
    asked = manifest("Cluster", "db", instances=3)
    found = entry(["update"], None, asked, live=asked, change={"importing": {"id": "x"}})
    assert (planned(found).changes[0].action, planned(found).changes[0].fields) == (Action.ADOPT, ())


def test_a_removed_block_forgets() -> None:
    found = entry(["forget"], manifest("Cluster", "db"), None)
    assert planned(found).changes[0].action is Action.FORGET
    guard(planned(found).changes, frozenset())


def test_a_moved_address_is_no_change() -> None:
    same = manifest("Cluster", "db")
    assert planned(entry(["no-op"], same, same, previous_address="kubernetes_manifest.old")).is_empty


def test_new_passwords_are_told_by_their_revision() -> None:
    meta = [{"name": "db-app", "namespace": "db-ns", "labels": {}, "annotations": {}}]
    before, after = ({"metadata": meta, "data_wo_revision": number, "data": None} for number in (1, 2))
    change = {"actions": ["update"], "before": before, "after": after}
    found = {"address": "kubernetes_secret_v1.x", "mode": "managed", "type": "kubernetes_secret_v1", "change": change}
    fields = planned(found).changes[0].fields
    assert [(field.path, field.old, field.new) for field in fields] == [("passwords", "revision 1", "revision 2")]


def test_the_recorded_file_before_and_after() -> None:
    found = planned(output_changes={"cluster": {"before": {"name": "old"}, "after": {"name": "new"}}})
    assert (found.before, found.after) == ({"name": "old"}, {"name": "new"})
    assert planned().before is None


@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]], ids="-".join)
@pytest.mark.parametrize("kind", sorted(set(LOSS) - {"Release", FOREIGN}))
def test_what_holds_data_is_destroyed_only_by_name(kind: str, actions: list[str]) -> None:
    gone = manifest(kind, "db")
    found = planned(entry(actions, gone, gone if "create" in actions else None)).changes
    with pytest.raises(UserError, match=rf"holds data; nothing was changed\n  \w+ {kind} db-ns/db: .*") as refused:
        guard(found, frozenset())
    assert refused.value.remedy.endswith(f"--destroy {kind}/db")
    with pytest.raises(UserError, match="holds data"):
        guard(found, frozenset({f"{kind}/other"}))
    guard(found, frozenset({f"{kind}/db"}))


def test_each_is_named_for_itself() -> None:
    found = planned(*(entry(["delete"], manifest("Database", name), None) for name in ("one", "two"))).changes
    with pytest.raises(UserError, match="db-ns/two") as refused:
        guard(found, frozenset({"Database/one"}))
    assert "db-ns/one" not in str(refused.value)


def test_a_chart_s_release_holds_data() -> None:
    before = {"name": "db", "namespace": "db-ns", "values": ["{}"]}
    change = {"actions": ["delete"], "before": before, "after": None}
    found = {"address": "helm_release.x", "mode": "managed", "type": "helm_release", "change": change}
    with pytest.raises(UserError, match="destroy Release db-ns/db: the servers"):
        guard(planned(found).changes, frozenset())


def test_what_holds_nothing_goes_unasked() -> None:
    guard(planned(entry(["delete"], manifest("Pooler", "db"), None)).changes, frozenset())


def test_a_name_that_the_plan_does_not_destroy_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"does not destroy Cluster/db; nothing was changed; it destroys nothing"):
        guard((), frozenset({"Cluster/db"}))


def test_what_is_replaced_is_named_as_it_runs() -> None:
    found = planned(entry(["delete", "create"], manifest("Database", "old"), manifest("Database", "new"))).changes
    assert found[0].resource.handle == "Database/old"


def test_why_it_is_replaced() -> None:
    gone = manifest("Cluster", "db")
    found = entry(
        ["delete", "create"], gone, gone, action_reason="replace_because_cannot_update",
        change={"replace_paths": [["manifest", "metadata", "name"]]},
    )  # fmt: skip
    assert planned(found).changes[0].why == "manifest.metadata.name cannot be changed in place"


@pytest.mark.parametrize(
    ("engine", "cluster"),
    [(CloudNativePG(), sample(network=balancer())), (Bitnami(), trio())],
    ids=["cloudnative-pg", "bitnami"],
)
def test_the_guard_knows_what_the_engines_call_data(engine: Engine, cluster: Any) -> None:
    holding = {obj["kind"] for obj in plan(cluster).stack if engine.traits(obj).holds_data}
    assert holding <= set(LOSS)
    assert "Namespace" in holding


def test_the_worst_comes_last_where_it_is_read() -> None:
    same = manifest("Pooler", "db")
    found: tuple[Change, ...] = planned(
        entry(["delete"], manifest("Cluster", "db"), None), entry(["create"], None, same)
    ).changes
    assert [change.action for change in found] == [Action.CREATE, Action.DESTROY]


def test_what_somebody_put_beside_the_stack_is_told_and_never_destroyed_unasked() -> None:
    """A file of one's own in the stack's folder: pgha knows neither the type nor what is in it."""
    own = {"address": "aws_s3_bucket.states", "mode": "managed", "type": "aws_s3_bucket"}
    changed = planned(own | {"change": {"actions": ["update"], "before": {"bucket": "a"}, "after": {"bucket": "b"}}})
    assert [(one.action, one.resource.title) for one in changed.changes] == [
        (Action.CHANGE, "Resource aws_s3_bucket.states")
    ]
    gone = planned(own | {"change": {"actions": ["delete"], "before": {"bucket": "a"}, "after": None}})
    with pytest.raises(UserError, match=r"--destroy Resource/aws_s3_bucket\.states"):
        guard(gone.changes, frozenset())
    guard(gone.changes, frozenset({"Resource/aws_s3_bucket.states"}))
