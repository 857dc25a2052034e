"""`pgha verify` and `pgha status` against a small API server: exit codes, and sentences instead of tracebacks."""

import json
from pathlib import Path

import pytest
from api_server import Server
from typer.testing import CliRunner, Result

from pgha.cli import application, verdicts
from pgha.config.problems import UserError
from pgha.verify.registry import checks
from pgha.verify.running import Report
from tests.support import ROOT
from tests.unit.verify.test_verify_report import hostile, report, two_primaries

FILE = str(ROOT / "tests/lab/clusters/verified.yaml")


def pgha(server: Server, folder: Path, *words: str) -> Result:
    return CliRunner().invoke(application(), [*words, "--kubeconfig", str(server.kubeconfig(folder))])


def test_says_that_the_cluster_does_not_run_there(server: Server, tmp_path: Path) -> None:
    done = pgha(server, tmp_path, "verify", FILE)
    assert isinstance(done.exception, UserError)
    assert "no instance of cluster verified runs in namespace verified" in str(done.exception)
    assert "pgha up verified" in done.exception.remedy
    assert server.writes == []


def test_status_of_nothing(server: Server, tmp_path: Path) -> None:
    done = pgha(server, tmp_path, "status", FILE, "--output", "json")
    assert done.exit_code == 1, done.output
    facts = json.loads(done.stdout)
    assert not facts["ready"]
    assert facts["instances"] == []
    assert facts["summary"] == "the Cluster does not exist"


def test_refuses_a_check_that_there_is_not(server: Server, tmp_path: Path) -> None:
    done = pgha(server, tmp_path, "verify", FILE, "--only", "FR-099")
    assert isinstance(done.exception, UserError)
    assert "FR-099 names no check" in str(done.exception)


def shown(found: Report, capsys: pytest.CaptureFixture[str]) -> str:
    verdicts.show(found)
    return capsys.readouterr().out


def test_terminal_names_what_is_broken_last(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(report(two_primaries), capsys).splitlines()
    assert len([line for line in lines if line[:1] in "✓✗?·" and line[:1].strip()]) >= len(checks())
    assert lines[-1].startswith("cluster db: broken: FR-005.primary")
    assert any("→ stop the applications" in line for line in lines)


def test_terminal_shows_hostile_text_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert "<script>alert('x')</script>" in shown(report(hostile), capsys)


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(lambda readings: readings["drift"][0].update(refused="spec.x[0]: [bold]no[/bold] [/]"))
    assert "[bold]no[/bold] [/]" in shown(found, capsys)
