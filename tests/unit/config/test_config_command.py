"""`pgha validate` and `pgha schema`, as they are called."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pgha.cli import schema, validate
from pgha.config.codes import REGISTER
from pgha.config.problems import UserError
from pgha.config.reference import schema_text

ROOT = Path(__file__).parents[3]
app = typer.Typer()
app.command("validate")(validate.run)
app.command("schema")(schema.run)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters/shop.yaml").write_text("name: shop\nnamespace: shop\ndelivery: tofu\n")
    (tmp_path / "clusters/blog.yaml").write_text("name: blog\nnamespace: blog\ndelivery: tofu\ninstances: 1\n")
    (tmp_path / "clusters/wiki.yaml").write_text("name: wiki\nnamespace: shop\ndelivery: tofu\nstorage: {size: 50G}\n")
    (tmp_path / "clusters/note.yaml").write_text("name: note\nnamespace: note\ndelivery: tofu\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_valid_files_exit_with_0(project: Path) -> None:
    assert run("validate", "note") == (0, "1 file valid\n")


def test_without_names_every_file_is_checked(project: Path) -> None:
    code, output = run("validate")
    assert code == 2
    assert "error: clusters/blog.yaml:4:12: PGHA-E201 instances: must be at least 2, got 1; " in output
    assert "error: clusters/wiki.yaml:2:12: PGHA-E902 namespace: " in output
    assert output.endswith("4 files: 2 errors, 1 warning\n")


def test_a_name_wins_over_a_folder_of_that_name(project: Path) -> None:
    (project / "note").mkdir()
    assert run("validate", "note") == (0, "1 file valid\n")


def test_a_folder_without_cluster_files_is_no_success(project: Path) -> None:
    (project / "empty").mkdir()
    with pytest.raises(UserError, match="there is no cluster file in empty/"):
        run("validate", "empty")


def test_one_file_is_compared_with_the_others_but_they_are_not_reported(project: Path) -> None:
    code, output = run("validate", "wiki")
    assert code == 2
    assert "got shop, as in clusters/shop.yaml" in output
    assert "blog" not in output


def test_warnings_alone_exit_with_0(project: Path) -> None:
    (project / "clusters/shop.yaml").unlink()
    code, output = run("validate", "wiki")
    assert code == 0
    assert output.startswith("warning: clusters/wiki.yaml:4:17: PGHA-W604 storage.size: ")
    assert output.endswith("1 file valid, 1 warning\n")


def test_it_works_from_a_folder_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "docs").mkdir()
    monkeypatch.chdir(project / "docs")
    assert run("validate", "note")[0] == 0


def test_a_folder_is_all_its_files(project: Path) -> None:
    assert run("validate", "clusters")[1].endswith("4 files: 2 errors, 1 warning\n")


def test_a_missing_name_names_those_that_exist(project: Path) -> None:
    with pytest.raises(UserError, match="the clusters here are: blog, note, shop, wiki"):
        run("validate", "shpo")


def test_no_file_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no cluster file in clusters/; write one"):
        run("validate")


def test_json_has_every_part_of_a_finding(project: Path) -> None:
    code, output = run("validate", "blog", "note", "--output", "json")
    assert code == 2
    assert json.loads(output) == {
        "valid": False,
        "files": [
            {
                "file": "clusters/blog.yaml",
                "valid": False,
                "problems": [
                    {
                        "code": "PGHA-E201",
                        "severity": "error",
                        "line": 4,
                        "column": 12,
                        "path": "instances",
                        "rule": "must be at least 2",
                        "value": "1",
                        "remedy": "write 3, or 2 if there are only two nodes",
                    }
                ],
            },
            {"file": "clusters/note.yaml", "valid": True, "problems": []},
        ],
    }


def test_sarif_has_rules_and_places(project: Path) -> None:
    code, output = run("validate", "--output", "sarif")
    assert code == 2
    log = json.loads(output)
    assert log["version"] == "2.1.0"
    (run_,) = log["runs"]
    rules = run_["tool"]["driver"]["rules"]
    for result in run_["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["ruleId"] in REGISTER
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"].startswith("clusters/")
        assert place["physicalLocation"]["region"]["startLine"] >= 1
    assert {result["level"] for result in run_["results"]} == {"error", "warning"}


def test_schema_prints_the_schema() -> None:
    assert run("schema") == (0, schema_text())


def test_help_shows_an_example() -> None:
    assert "Example: pgha validate postgres-cluster" in " ".join(run("validate", "--help")[1].split())


@pytest.mark.parametrize("module", ["pgha.config", "pgha.cli.validate"])
def test_validating_loads_nothing_heavy(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "from pathlib import Path\n"
        "from pgha.config import check\n"
        f"check(sorted(Path({str(ROOT / 'clusters')!r}).glob('*.yaml')))\n"
        "heavy = {'cdktf', 'jsii', 'lightkube', 'psycopg', 'constructs', 'asyncio', 'httpx2'} & set(sys.modules)\n"
        "sys.exit(f'loads {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_whole_command_line_validates_without_anything_heavy() -> None:
    script = (
        "import sys\n"
        "from pgha.cli import main\n"
        "sys.argv[1:] = ['validate']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        "heavy = {'cdktf', 'jsii', 'lightkube', 'psycopg'} & set(sys.modules)\n"
        "sys.exit(f'loads {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=ROOT)


def test_hostile_input_ends_with_sentences(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.yaml"
    hostile.write_bytes(b"a: &a [x]\nb: &b [*a,*a]\nc: " + b"{" * 900)
    code, output = run("validate", str(hostile))
    assert code == 2
    assert "Traceback" not in output
    shutil.rmtree(tmp_path)
