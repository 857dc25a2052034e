"""A running cluster changes hands: server-side → OpenTofu → Argo CD's half → OpenTofu, and no pod notices."""

import json
from collections.abc import Iterator

import pytest
from running_lab import Database
from tofu_project import Project

pytestmark = [pytest.mark.lab, pytest.mark.providers]

STATE_FILE = "hands.tfstate"


@pytest.fixture(scope="module")
def project(providers: None, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("hands"), database, "hands", "192.168.10.122")
    made.clear()
    made.up("server-side")
    yield made
    made.down()


def adopted(project: Project) -> None:
    """In OpenTofu's hands; from the first test on it is."""
    if not (project.stack / STATE_FILE).exists():
        for words in (("plan", "hands", "--adopt"), ("apply", "hands")):
            done = project.pgha(*words)
            assert done.returncode == 0, done.stdout
    project.way = "tofu"


def test_without_the_word_nothing_is_taken_over(project: Project) -> None:
    refused = project.pgha("plan", "hands")
    assert refused.returncode == 2, refused.stdout
    assert "cluster hands runs, and the state of its stack does not know it" in refused.stdout
    assert "pgha plan hands --adopt" in refused.stdout
    assert not (project.stack / STATE_FILE).exists()


def test_what_was_applied_server_side_is_taken_over_as_it_runs(project: Project) -> None:
    before, password = project.identities(), project.password()
    planned = project.pgha("plan", "hands", "--adopt", "--output", "json")
    assert planned.returncode == 0, planned.stdout
    facts = json.loads(planned.stdout[planned.stdout.index("{\n") : planned.stdout.rindex("}") + 1])
    assert {change["action"] for change in facts["changes"]} == {"adopt"}, facts
    assert "Cluster hands-of-a-test/hands" in [change["object"] for change in facts["changes"]]
    applied = project.pgha("apply", "hands")
    assert applied.returncode == 0, applied.stdout
    assert project.identities() == before
    assert project.password() == password
    again = project.pgha("plan", "hands", "--check")
    assert again.returncode == 0, again.stdout
    assert "nothing changes" in again.stdout
    assert "✓ apply (tofu)" in project.up("tofu")
    assert project.identities() == before


def test_an_adopted_secret_is_in_no_state(project: Project) -> None:
    adopted(project)
    project.remember()
    state = (project.stack / STATE_FILE).read_text()
    assert "hands-app" in state
    assert [value[:3] for value in project.secrets if value in state] == []


def test_a_revision_raised_beside_opentofu_renews_the_password_once(project: Project) -> None:
    adopted(project)
    project.write(revision=2)
    project.up("server-side")
    password = project.password()
    planned = project.pgha("plan", "hands")
    assert planned.returncode == 0, planned.stdout
    assert "noted Secret hands-of-a-test/hands-app in the state as it is" in planned.stdout
    applied = project.pgha("apply", "hands")
    assert applied.returncode == 0, applied.stdout
    assert project.password() == password
    assert project.login(password)["ok"]


def test_what_the_state_lost_is_found_again(project: Project) -> None:
    """As after an apply that ended before OpenTofu wrote down what it had made."""
    adopted(project)
    before = project.identities()
    lost = ("kubernetes_manifest.cluster_hands", "kubernetes_secret_v1.secret_hands_app")
    assert project.tofu("state", "rm", *lost).returncode == 0
    project.up("tofu")
    assert project.identities() == before
    assert project.pgha("plan", "hands", "--check").returncode == 0


def planned(project: Project) -> dict[str, str]:
    """Object → what `pgha plan` foresees for it."""
    done = project.pgha("plan", "hands", "--output", "json")
    assert done.returncode == 0, done.stdout
    facts = json.loads(done.stdout[done.stdout.index("{\n") : done.stdout.rindex("}") + 1])
    return {change["object"]: change["action"] for change in facts["changes"]}


def uids(project: Project) -> dict[str, str]:
    return {name: value.split()[0] for name, value in project.identities().items()}


def test_to_argo_cd_and_back_no_object_is_made_anew(project: Project) -> None:
    """OpenTofu's half, with an Argo CD that finds no repository: what runs is exactly what OpenTofu left.

    That Argo CD takes it over is docs/tutorial/argocd.md, which a test runs.
    """
    if not project.kubectl("get", "crd", "applications.argoproj.io", "--ignore-not-found"):
        pytest.skip("NOT RUN: no Argo CD in the lab (lab up --with argocd)")
    adopted(project)
    before, password = uids(project), project.password()
    repository = 'gitops: { repoURL: "http://git.example.com/hands.git" }\nsilence: [PGHA-W607, PGHA-W812]\n'
    path = project.folder / "clusters" / "hands.yaml"

    project.write(revision=project.revision, delivery="argocd")
    path.write_text(path.read_text().replace("silence: [PGHA-W607]\n", repository))
    actions = planned(project)
    assert actions["Cluster hands-of-a-test/hands"] == "forget"
    assert actions["Application argocd/hands"] == "create"
    assert not {"destroy", "replace"} & set(actions.values())
    applied = project.pgha("apply", "hands")
    assert applied.returncode == 0, applied.stdout
    assert "let go of Cluster hands-of-a-test/hands, which runs on" in applied.stdout
    assert "kubernetes_manifest.cluster_hands" not in project.tofu("state", "list").stdout
    assert (uids(project), project.password()) == (before, password)
    assert planned(project) == {}

    project.write(revision=project.revision)
    actions = planned(project)
    assert actions["Cluster hands-of-a-test/hands"] == "adopt"
    assert actions["Application argocd/hands"] == "destroy"
    applied = project.pgha("apply", "hands")
    assert applied.returncode == 0, applied.stdout
    assert (uids(project), project.password()) == (before, password)
    assert planned(project) == {}
