"""What is committed is what the cluster files give, by whichever command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pgha.cli.output import orphans, stale, synthesized, write
from pgha.cli.project import buildable
from pgha.gitops import tree
from tests.support import ROOT, balancer, sample


def test_terraform_and_kubernetes_are_fresh() -> None:
    files = synthesized(ROOT, buildable(ROOT))
    assert [str(path.relative_to(ROOT)) for path in [*stale(files), *orphans(ROOT, files)]] == [], "run: pgha synth"


def test_no_secret_value_is_committed() -> None:
    """Anything that is called a password is a reference: an expression, a Secret's name, a method."""
    committed = [*ROOT.glob("terraform/**/*.json"), *ROOT.glob("kubernetes/**/*.yaml")]
    named = re.compile(r'"?(\w*password\w*)"?: *"([^"]*)"', re.IGNORECASE)
    found = [pair for path in committed for pair in named.findall(path.read_text())]
    assert [pair for pair in found if not pair[1].startswith("${ephemeral.")] == []


def test_main_py_is_pgha_synth(tmp_path: Path) -> None:
    """`cdktf synth` runs main.py with CDKTF_OUTDIR set."""
    env = os.environ | {"CDKTF_OUTDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, str(ROOT / "main.py")], env=env, cwd="/", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for path in tmp_path.rglob("cdk.tf.json"):
        assert path.read_bytes() == (ROOT / "terraform" / path.relative_to(tmp_path)).read_bytes()
    assert (tmp_path / "stacks" / "lab" / "cdk.tf.json").is_file()
    assert (ROOT / "terraform" / "stacks" / "lab" / "cdk.tf.json").is_file()  # another folder's files are no orphans


def test_writing_twice_writes_once(tmp_path: Path) -> None:
    files = {tmp_path / "a" / "b": b"text"}
    assert write(files) == [tmp_path / "a" / "b"]
    assert write(files) == []


def test_state_is_nobodys_orphan(tmp_path: Path) -> None:
    folder = tmp_path / "terraform" / "stacks" / "gone"
    folder.mkdir(parents=True)
    for name in ("cdk.tf.json", "gone.tfstate", ".terraform.lock.hcl"):
        (folder / name).touch()
    assert orphans(tmp_path, {}) == [folder / "cdk.tf.json"]


def test_the_tree_of_argocd_is_numbered_in_order() -> None:
    files = tree(sample(delivery="argocd", network=balancer()))
    first, *manifests, health = files
    assert first == "kubernetes/applications/db/application.yaml"
    assert health == "kubernetes/argocd/health.yaml"
    folder = "kubernetes/applications/db/manifests"
    assert all(path.startswith(f"{folder}/{number:02}-") for number, path in enumerate(manifests, start=1))
    assert manifests[:2] == [f"{folder}/01-networkpolicy-db.yaml", f"{folder}/02-cluster-db.yaml"]
    assert "path: kubernetes/applications/db/manifests" in files["kubernetes/applications/db/application.yaml"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("terraform/**/*.json")), ids=lambda path: path.parent.name)
def test_no_machine_path_is_committed(path: Path) -> None:
    assert not re.search(r'"(/root|/home|/tmp|/work)/', path.read_text())
