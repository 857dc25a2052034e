"""Two ways to apply: the same objects, no drift, no secret on disk, passwords that rotate, a `down` that asks.

A second, small cluster in a project folder of its own beside the lab's. What needs OpenTofu and its providers is
skipped where they are not to be had; what server-side apply promises is tried everywhere.
"""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leaks import contents, holds
from running_lab import Database, eventually
from tofu_project import Project, Way

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def project(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("two-ways"), database, "two", "192.168.10.120")
    made.down()  # what an interrupted run may have left
    yield made
    made.down()


@pytest.fixture
def by_tofu(providers: None, project: Project) -> Project:
    return project.running("tofu")


@pytest.fixture
def server_side(project: Project) -> Project:
    return project.running("server-side")


def _plan(project: Project) -> tuple[int, str]:
    """`tofu plan -detailed-exitcode`: 0 nothing to do, 2 something."""
    done = project.tofu("plan", "-detailed-exitcode", "-no-color")
    return done.returncode, done.stdout


@pytest.mark.providers
def test_the_second_plan_is_empty(by_tofu: Project) -> None:
    code, text = _plan(by_tofu)
    assert code == 0, text
    live = by_tofu.cluster()["spec"]
    assert live["postgresql"]["parameters"], "the operator's defaults must be there, or this proves nothing"


@pytest.mark.providers
def test_what_was_changed_by_hand_is_seen_and_taken_back(by_tofu: Project) -> None:
    """Field by field, as another field manager: kubectl's."""
    cluster = ("clusters.postgresql.cnpg.io/two", f"--namespace={by_tofu.namespace}")
    pool = ("ipaddresspools.metallb.io/two", "--namespace=metallb-system")
    wider = {"spec": {"addresses": ["192.168.10.120-192.168.10.121"]}}
    by_tofu.kubectl("patch", *cluster, "--type=merge", "--patch", '{"spec": {"smartShutdownTimeout": 7}}')
    by_tofu.kubectl("patch", *pool, "--type=merge", "--patch", json.dumps(wider))
    code, text = _plan(by_tofu)
    assert code == 2, text
    assert "smartShutdownTimeout" in text
    assert "192.168.10.120-192.168.10.121" in text
    printed = by_tofu.up("tofu")
    assert "nothing changed" not in printed
    assert by_tofu.cluster()["spec"]["smartShutdownTimeout"] == 0
    assert "192.168.10.121" not in by_tofu.kubectl("get", *pool, "--output=yaml")
    assert _plan(by_tofu)[0] == 0


@pytest.mark.providers
def test_a_failover_is_no_drift(by_tofu: Project) -> None:
    before = by_tofu.cluster()["status"]["currentPrimary"]
    by_tofu.kubectl("delete", "pod", before, f"--namespace={by_tofu.namespace}", "--grace-period=0", "--force")
    eventually(lambda: by_tofu.cluster()["status"]["currentPrimary"] != before, within=60)
    code, text = _plan(by_tofu)
    assert code == 0, text
    by_tofu.heal()
    code, text = _plan(by_tofu)
    assert code == 0, text


@pytest.mark.providers
def test_tofu_itself_refuses_to_destroy(by_tofu: Project) -> None:
    before = by_tofu.snapshot()
    refused = by_tofu.tofu("destroy", "-auto-approve", "-no-color")
    assert refused.returncode == 1, refused.stdout
    assert "prevent_destroy" in refused.stdout
    assert by_tofu.snapshot() == before


def _rotated(project: Project, way: Way) -> None:
    old = project.password()
    assert project.login(old)["ok"]
    project.write(revision=2)
    project.up(way)
    new = project.password()
    assert new != old
    assert project.login(new)["ok"]
    refused = project.login(old)
    assert not refused["ok"]
    assert "password authentication failed" in refused["error"]
    project.up(way)
    assert project.password() == new, "the same revision must keep the password"


@pytest.mark.providers
def test_a_raised_revision_rotates_the_password_by_tofu(by_tofu: Project) -> None:
    _rotated(by_tofu, "tofu")
    assert _plan(by_tofu)[0] == 0


@pytest.mark.providers
def test_no_secret_is_in_state_plan_or_output(by_tofu: Project) -> None:
    stack = by_tofu.stack / "cdk.tf.json"
    text = stack.read_text()
    raised = json.loads(text)
    raised["resource"]["kubernetes_secret_v1"]["secret_two_app"]["data_wo_revision"] = 9
    stack.write_text(json.dumps(raised))  # a plan that would write a new password
    try:
        planned = by_tofu.tofu("plan", "-detailed-exitcode", "-no-color", "-out=two.tfplan")
    finally:
        stack.write_text(text)
    assert planned.returncode == 2, planned.stdout
    for name, words in {"plan.json": ("two.tfplan",), "state.json": ()}.items():
        shown = by_tofu.tofu("show", "-json", *words)
        assert shown.returncode == 0, shown.stdout
        (by_tofu.stack / name).write_text(shown.stdout)

    everything = contents(by_tofu.folder, by_tofu.printed)
    telling = {"two.tfstate", "plan.json", "state.json", "cdk.tf.json", "two.yaml"}
    seen = {Path(name).name for name, content in everything.items() if holds(content, by_tofu.namespace)}
    assert telling | {"what was printed", "two.tfplan: tfplan", "two.tfplan: tfstate"} <= seen, "the search is blind"
    assert len(by_tofu.secrets) >= 2 * 7, "two-app, two-ca, two-server, two-replication, each plain and in base64"
    found = [
        (name, value[:3]) for name, content in everything.items() for value in by_tofu.secrets if holds(content, value)
    ]
    assert found == [], "a Secret's value (its first letters) stands in these"


def _as_text(snapshot: dict[str, Any]) -> str:
    """Without what the server draws for each pod of a Job or a Deployment: its name's end, and the Job's uid."""
    text = json.dumps(snapshot, indent=1, sort_keys=True)
    text = re.sub(r'(?<="Pod )(\S+-)[a-z0-9]{5}(?=")', r"\1*", text)
    return re.sub(r'(?<=controller-uid": ")[0-9a-f-]{36}', "*", text)


@pytest.mark.providers
def test_both_ways_end_in_the_same_objects(by_tofu: Project) -> None:
    by_tofu.running("server-side")
    texts = [_as_text(by_tofu.snapshots[way]).splitlines() for way in ("tofu", "server-side")]
    by_way = by_tofu.snapshots["tofu"]
    assert by_way["Cluster two"]["spec"]["instances"] == 2
    assert by_way["Secret two-app"]["data"] == ["password", "username"]
    assert {"Pod two-2", "Service two-external", "IPAddressPool two", "L2Advertisement two"} <= set(by_way)
    difference = list(difflib.unified_diff(*texts, "by tofu", "server-side", n=4, lineterm=""))
    assert not difference, "\n".join(difference)


def test_down_without_the_right_name_touches_nothing(server_side: Project) -> None:
    before, uid = server_side.snapshot(), server_side.cluster()["metadata"]["uid"]
    for words, told in {
        (): "--destroy two",
        ("--destroy", "lab"): "the cluster's name is two, not lab",
        ("--destroy", ""): "the cluster's name is two",
    }.items():
        refused = server_side.pgha("down", "two", *words, way="server-side")
        assert refused.returncode == 2, refused.stdout
        assert told in refused.stdout
    assert server_side.snapshot() == before
    assert server_side.cluster()["metadata"]["uid"] == uid
    assert server_side.login(server_side.password())["ok"]


def test_a_raised_revision_rotates_the_password_server_side(server_side: Project) -> None:
    _rotated(server_side, "server-side")
    printed = "\n".join(server_side.printed)
    assert [value[:3] for value in server_side.secrets if value in printed] == []
