"""`pgha explain`, as it is called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pgha.cli import application
from pgha.config import UserError

ROOT = Path(__file__).parents[3]
FILE = "name: shop\nnamespace: shop\ndelivery: tofu\nstorage: {size: 50Gi, storageClass: fast}\n"


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(application(["explain"]), ["explain", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def git(*words: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose last commit grew the volumes, and whose working tree has a fourth instance."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "clusters/shop.yaml"
    path.parent.mkdir()
    path.write_text(FILE)
    git("init", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--message", "first")
    path.write_text(FILE.replace("50Gi", "60Gi"))
    git("commit", "--all", "--message", "second")
    path.write_text(FILE.replace("50Gi", "60Gi") + "instances: 4\n")
    return tmp_path


def test_the_working_tree_is_compared_with_head(project: Path) -> None:
    code, output = run("shop")
    assert code == 0
    assert output.startswith("shop (clusters/shop.yaml, HEAD → the working tree): 1 change, at worst: new volume\n")
    assert "new volume  instances: 3 → 4\n" in output
    assert "touches: Cluster shop/shop, Pod shop/shop-*, PersistentVolumeClaim shop/shop-*" in output


def test_two_revisions(project: Path) -> None:
    code, output = run("shop", "--from", "HEAD~1", "--to", "main")
    assert (code, "storage.size: 50Gi → 60Gi" in output, "instances" in output) == (0, True, False)


def test_what_cannot_be_done_exits_with_1(project: Path) -> None:
    code, output = run("shop", "--from", "HEAD", "--to", "HEAD~1")
    assert (code, "refused     storage.size: 60Gi → 50Gi" in output, "do: restore a backup" in output) == (
        1,
        True,
        True,
    )


def test_from_a_folder_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "clusters")
    assert run("shop.yaml")[0] == 0


def test_json(project: Path) -> None:
    code, output = run("shop", "--output", "json")
    facts = json.loads(output)
    assert (code, facts["cluster"], facts["worst"]) == (0, "shop", "new volume")
    assert facts["effects"][0]["path"] == "instances"
    assert set(facts["effects"][0]) == {"path", "level", "old", "new", "reason", "remedy", "objects"}


def test_markdown(project: Path) -> None:
    code, output = run("shop", "--output", "markdown", "--from", "HEAD~1")
    assert code == 0
    assert output.startswith("### shop: 2 changes, at worst: new volume\n")
    assert "| new volume | `storage.size` | `50Gi` | `60Gi` |" in output


def test_markdown_cannot_be_broken_by_a_value(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    value = "a|b `c` <img src=x> @everyone"
    other.write_text(FILE + f'postgresql: {{parameters: {{log_line_prefix: "{value}"}}}}\ninstances: 4\n')
    _, output = run("clusters/shop.yaml", str(other), "--output", "markdown")
    rows = [line for line in output.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_equal_files(project: Path) -> None:
    assert run("shop", "--to", "HEAD") == (0, "shop (clusters/shop.yaml, HEAD → HEAD): nothing changes\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("shop", "--from", "nowhere"), "there is no revision nowhere"),
        (("shop", "--from", "--output=x"), "is no revision"),
        (("clusters/shop.yaml", "clusters/shop.yaml", "--from", "HEAD"), "two files have no revisions"),
        (("nothing",), "there is no cluster file"),
    ],
)
def test_what_the_user_must_mend(project: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(*words)


def test_a_file_that_is_new(project: Path) -> None:
    (project / "clusters/blog.yaml").write_text(FILE.replace("shop", "blog"))
    with pytest.raises(UserError, match=r"revision HEAD has no file clusters/blog\.yaml"):
        run("blog")


def test_an_old_file_with_errors_names_its_revision(project: Path) -> None:
    path = project / "clusters/shop.yaml"
    path.write_text("name: shop\ninstances: 1\n")
    git("commit", "--all", "--message", "broken")
    path.write_text(FILE)
    with pytest.raises(UserError, match=r"HEAD:clusters/shop\.yaml:2:12: PGHA-E201"):
        run("shop")


def test_it_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from pgha.cli import main\n"
        "sys.argv[1:] = ['explain', 'clusters/lab.yaml', 'clusters/lab.yaml']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        "heavy = {'cdktf', 'jsii', 'lightkube', 'psycopg', 'ruamel'} & set(sys.modules)\n"
        "sys.exit(f'loads {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=ROOT)
