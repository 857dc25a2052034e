"""`load`, `check`, `discover` and `resolve`: what other packages use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pgha.config import ConfigError, Problem, UserError, check, discover, load, load_all, resolve

Find = Callable[[str | bytes], list[Problem]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "clusters"
    folder.mkdir()
    (folder / "shop.yaml").write_text("name: shop\nnamespace: shop\ndelivery: tofu\n")
    (folder / "blog.yml").write_text("name: blog\nnamespace: blog\ndelivery: tofu\n")
    (folder / "notes.txt").write_text("not a cluster")
    return tmp_path


def test_discovers_cluster_files_by_name(project: Path) -> None:
    assert [path.name for path in discover(project)] == ["blog.yml", "shop.yaml"]


def test_finds_nothing_where_there_is_no_folder(tmp_path: Path) -> None:
    assert discover(tmp_path) == []


@pytest.mark.parametrize("name", ["shop", "shop.yaml", "clusters/shop.yaml"])
def test_resolves_a_name_or_a_path(project: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert resolve(name).samefile("clusters/shop.yaml")


@pytest.mark.parametrize("name", ["shpo", "clusters/shpo.yaml", "a\0b", "x" * 300])
def test_a_missing_file_names_those_that_exist(project: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"there is no cluster file .*; the clusters here are: blog, shop"):
        resolve(name, project)


def test_loads_a_cluster(project: Path) -> None:
    assert load(resolve("shop", project)).name == "shop"


def test_loads_several_in_order(project: Path) -> None:
    assert [cluster.name for cluster in load_all(discover(project))] == ["blog", "shop"]


def test_load_raises_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\ninstances: 1\nnetwork: {port: 1}\nstorge: {}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [(problem.line, problem.code) for problem in caught.value.problems] == [
        (2, "PGHA-E201"),
        (3, "PGHA-E401"),
        (4, "PGHA-E101"),
    ]
    assert str(caught.value).startswith("3 problems in the cluster file; mend them and run it again\n  ")
    assert f"{path}:4:1: PGHA-E101 storge: must be a key that pgha knows, got storge" in str(caught.value)


def test_load_all_raises_when_two_files_want_the_same(project: Path) -> None:
    (project / "clusters/third.yaml").write_text("name: third\nnamespace: shop\ndelivery: tofu\n")
    with pytest.raises(
        ConfigError, match=r"third\.yaml.*must belong to one cluster file, got shop, as in .*shop\.yaml"
    ):
        load_all(discover(project))


@pytest.mark.parametrize("name", ["missing.yaml", "clusters"])
def test_what_cannot_be_read_is_the_users_to_mend(project: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        load(project / name)
    assert not isinstance(caught.value, ConfigError)


def test_a_warning_does_not_stop_loading_and_can_be_silenced(problems: Find) -> None:
    text = "name: a\ndelivery: tofu\nstorage: {size: 50G}\n"
    assert [problem.code for problem in problems(text)] == ["PGHA-W604"]
    assert problems(f"{text}silence: [PGHA-W604]\n") == []


def test_an_error_elsewhere_does_not_call_a_silence_unused(problems: Find) -> None:
    found = problems("name: a\ndelivery: tofu\nstorage: []\nsilence: [PGHA-W604]\n")
    assert [problem.code for problem in found] == ["PGHA-E103"]


def test_faults_of_form_do_not_hide_faults_of_sense(problems: Find) -> None:
    found = problems('name: a\ndelivery: tofu\ninstances: "3"\nnetwork: {port: 1}\nnamespace: default\n')
    assert [problem.code for problem in found] == ["PGHA-E103", "PGHA-E401", "PGHA-E211"]


def test_a_rule_stays_silent_about_what_is_broken(problems: Find) -> None:
    found = problems("name: a\ndelivery: tofu\nusers: 5\ndatabases: [{name: shop, owner: nobody}]\n")
    assert [problem.code for problem in found] == ["PGHA-E103"]


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("storge", "storage"),
        ("Instances", "instances"),
        ("postgres", "postgresql"),
        ("data_bases", "databases"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(problems: Find, key: str, near: str) -> None:
    (found,) = problems(f"name: a\ndelivery: tofu\n{key}: 1\n")
    assert (found.line, found.column) == (3, 1)
    assert found.remedy == f"did you mean `{near}`?"


def test_an_unknown_key_without_a_likeness_is_answered_with_all(problems: Find) -> None:
    (found,) = problems("name: a\ndelivery: tofu\nstorage: {qqq: 1}\n")
    assert found.remedy == "the keys here are size, storageClass, accessMode and walSize"


@pytest.mark.parametrize(
    "text",
    [
        "users: [{name: app, password: hunter2}]",
        "users: [{name: app, passwd: hunter2}]",
        "users: [{name: app, passwordSecret: Hunter2!hunter2}]",
        "credentials: hunter2",
        "credentials: {superuserPassword: hunter2}",
        "backend: {config: {access_key: hunter2, token: [hunter2]}}",
        "gitops: {repoURL: 'https://me:hunter2@git.example.com/a.git'}",
        "postgresql: {image: 'https://me:hunter2@example.com/postgresql:latest'}",
        "postgresql: {parameters: {primary_conninfo: 'password=hunter2'}}",
        "backup: {objectStore: {destination: 's3://key:hunter2@bucket', credentialsSecret: Hunter2_hunter2}}",
        "{AWS_SECRET: hunter2}: 1",
    ],
)
def test_a_password_in_the_file_is_never_shown(problems: Find, text: str) -> None:
    found = problems(f"name: a\ndelivery: tofu\n{text}\n")
    assert found
    assert "hunter2" not in "".join(str(problem).lower() for problem in found)


def test_reports_keep_the_order_of_the_files(project: Path) -> None:
    paths = [project / "clusters/shop.yaml", project / "clusters/blog.yml"]
    assert [report.path for report in check(paths)] == paths
