"""Nothing that holds data is destroyed without being named: on a running cluster, with the real providers."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from running_lab import Database
from tofu_project import Project

pytestmark = [pytest.mark.lab, pytest.mark.providers]

TWO_DATABASES = "databases: [{ name: app, owner: app }, { name: extra, owner: app }]\n"
POOLER = "pooler: { instances: 1 }\n"


@pytest.fixture(scope="module")
def project(providers: None, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("guard"), database, "guard", "192.168.10.123")
    made.clear()
    made.up("tofu")
    yield made
    made.write()
    made.clear()


def planned(project: Project, *words: str) -> list[dict[str, Any]]:
    """The changes that `pgha plan` foresees."""
    done = project.pgha("plan", project.name, "--output", "json", *words)
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{\n") : done.stdout.rindex("}") + 1])
    changes: list[dict[str, Any]] = found["changes"]
    return changes


def has_database(project: Project) -> bool:
    kind = "databases.postgresql.cnpg.io"
    return "guard-extra" in project.kubectl("get", kind, f"--namespace={project.namespace}", "--output=name")


def test_what_holds_data_is_destroyed_only_by_name(project: Project) -> None:
    project.write(more=TWO_DATABASES)
    project.up("tofu")
    before = project.identities()
    project.write()

    refused = project.pgha("up", "guard")
    assert refused.returncode == 2, refused.stdout
    assert "the plan destroys what holds data; nothing was changed" in refused.stdout
    assert "destroy Database guard-of-a-test/guard-extra" in refused.stdout

    done = project.pgha("plan", "guard")
    assert done.returncode == 0, done.stdout
    assert "LOSES the operator's hold on a database" in done.stdout
    assert "pgha apply guard --destroy Database/guard-extra" in done.stdout
    assert "databases[extra]" in done.stdout, "what the change of the file does, in the words of pgha explain"

    for words in ((), ("--destroy", "Database/guard"), ("--destroy", "Cluster/guard")):
        refused = project.pgha("apply", "guard", *words)
        assert refused.returncode == 2, refused.stdout
        assert "nothing was changed" in refused.stdout
        assert has_database(project)
    assert project.identities() == before

    applied = project.pgha("apply", "guard", "--destroy", "Database/guard-extra")
    assert applied.returncode == 0, applied.stdout
    assert "deleted Database guard-of-a-test/guard-extra" in applied.stdout
    assert not has_database(project)
    assert planned(project, "--check") == []


def test_the_whole_cluster_is_not_replaced_by_a_word_in_the_file(project: Project) -> None:
    """`prevent_destroy` makes OpenTofu refuse this plan; pgha shows it all the same, and refuses it too."""
    before = project.identities()
    project.write()
    path = project.folder / "clusters" / "guard.yaml"
    path.write_text(path.read_text().replace("namespace: guard-of-a-test", "namespace: guard-elsewhere"))
    try:
        changes = {change["object"]: change for change in planned(project)}
        assert changes["Namespace guard-of-a-test"]["action"] == "replace"
        assert changes["Namespace guard-of-a-test"]["destroy"] == "--destroy Namespace/guard-of-a-test"
        assert changes["Cluster guard-of-a-test/guard"]["holds"] == "its volumes, and every database on them"
        for command in ("apply", "up"):
            refused = project.pgha(command, "guard")
            assert refused.returncode == 2, refused.stdout
            assert "Cluster guard-of-a-test/guard: its volumes" in refused.stdout
    finally:
        project.write()
    assert project.identities() == before
    refused = project.tofu("destroy", "-auto-approve", "-no-color")
    assert refused.returncode == 1, refused.stdout
    assert "prevent_destroy" in refused.stdout


def test_what_holds_no_data_goes_without_a_word(project: Project) -> None:
    project.write(more=POOLER)
    assert project.pgha("plan", "guard").returncode == 0
    applied = project.pgha("apply", "guard")
    assert applied.returncode == 0, applied.stdout
    assert "created Pooler" in applied.stdout
    project.write()
    assert [one["action"] for one in planned(project) if one["object"].startswith("Pooler ")] == ["destroy"]
    applied = project.pgha("apply", "guard")
    assert applied.returncode == 0, applied.stdout
    assert "deleted Pooler" in applied.stdout


def test_a_plan_is_applied_once_and_only_for_the_file_that_it_was_made_from(project: Project) -> None:
    saved = project.stack / "guard.tfplan"
    project.write()
    project.up("tofu")
    none = project.pgha("apply", "guard")
    assert none.returncode == 2, none.stdout
    assert "there is no plan for guard; make one and read it: pgha plan guard" in none.stdout

    project.write(revision=2)
    assert project.pgha("plan", "guard").returncode == 0
    project.write(revision=3)
    other = project.pgha("apply", "guard")
    assert other.returncode == 2, other.stdout
    assert "the cluster file has changed since this plan was made" in other.stdout

    project.write(revision=2)
    assert project.pgha("plan", "guard").returncode == 0
    kept = project.folder / "kept.tfplan"
    shutil.copy(saved, kept)
    assert project.pgha("apply", "guard").returncode == 0
    assert not saved.exists()
    password = project.password()
    shutil.copy(kept, saved)
    stale = project.pgha("apply", "guard")
    assert stale.returncode == 2, stale.stdout
    assert "the state has changed since this plan was made; make a new one: pgha plan guard" in stale.stdout
    assert project.password() == password


def test_only_planning_changes_nothing(project: Project) -> None:
    project.write(revision=9, more=POOLER)
    before, snapshot = project.identities(), project.snapshot()
    done = project.pgha("plan", "guard", "--check")
    assert done.returncode == 1, done.stdout
    assert "passwords: revision" in done.stdout
    assert (project.identities(), project.snapshot()) == (before, snapshot)
    project.write(revision=2)
