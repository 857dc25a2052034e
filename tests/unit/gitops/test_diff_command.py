"""`pgha diff` in a repository of its own: Markdown that a pull request shows, and exit codes that CI reads."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pgha.cli import application

BEFORE = """\
name: shop
namespace: shop
gitops: { repoURL: https://git.mycompany.net/platform/pgha.git }
monitoring: { enabled: false }
network: { networks: [10.0.0.0/8] }
storage: { size: 50Gi }
pooler: { instances: 2 }
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """clusters/shop.yaml, committed."""
    file = tmp_path / "clusters" / "shop.yaml"
    file.parent.mkdir()
    file.write_text(BEFORE)
    who = ["-c", "user.name=o", "-c", "user.email=o@example.com"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message=one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return file


def diff(*words: str) -> Result:
    return CliRunner().invoke(application(["diff"]), ["diff", "shop", "--against", "HEAD", *words])


def test_nothing_changed(shop: Path) -> None:
    found = diff()
    assert found.exit_code == 0
    assert found.stdout == "### shop: nothing changes\n\nshop, HEAD → the working tree\n"


def test_effects_then_objects_in_order_then_lines(shop: Path) -> None:
    shop.write_text(BEFORE.replace("pooler: { instances: 2 }", "instances: 4"))
    found = diff()
    assert found.exit_code == 0
    rows = [line for line in found.stdout.splitlines() if line.startswith("| ")]
    assert "| wave 0 | Argo CD | `Cluster shop/shop` | changed |" in rows
    assert "| wave 1 | Argo CD | `Pooler shop/shop-pooler-rw` | **deleted** |" in rows
    assert rows.index("| wave 0 | Argo CD | `Cluster shop/shop` | changed |") > rows.index(
        next(row for row in rows if "`instances`" in row)
    )
    assert "-  instances: 3\n+  instances: 4" in found.stdout


def test_what_cannot_be_done_stops_the_pull_request(shop: Path) -> None:
    shop.write_text(BEFORE.replace("50Gi", "40Gi"))
    assert diff().exit_code == 1


def test_a_new_cluster_is_one(shop: Path) -> None:
    subprocess.run(["git", "mv", "clusters/shop.yaml", "clusters/other.yaml"], check=True)
    shop.write_text(BEFORE)
    subprocess.run(
        ["git", "-c", "user.name=o", "-c", "user.email=o@example.com", "commit", "--quiet", "-am", "two"], check=True
    )
    found = diff()
    assert found.exit_code == 0
    assert found.stdout.startswith("### shop: a new cluster\n")
    assert "| wave 0 | Argo CD | `Cluster shop/shop` | created |" in found.stdout


def test_json_says_the_same(shop: Path) -> None:
    shop.write_text(BEFORE.replace("pooler: { instances: 2 }", ""))
    facts = json.loads(diff("--output", "json").stdout)
    assert {(each["name"], each["happens"]) for each in facts["objects"]} >= {("Pooler shop/shop-pooler-rw", "deleted")}
    assert facts["new"] is False
