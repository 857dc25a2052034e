"""What `pgha backup` and `pgha restore` refuse before they ask any Kubernetes."""

import subprocess
import sys
from pathlib import Path

import pytest

from pgha.engines import engine_of
from pgha.engines.base import Readiness
from tests.support import sample

DUMPS = "name: trio\nnamespace: trio\nengine: bitnami\ndelivery: tofu\nbackup: {volume: {storageClass: nfs}}\n"
NONE = "name: none\nnamespace: none\ndelivery: tofu\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters/trio.yaml").write_text(DUMPS)
    (tmp_path / "clusters/none.yaml").write_text(NONE)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backup", "none"], "none describes no backup; add the section `backup` to its file"),
        (["backup", "list", "none"], "none describes no backup"),
        (
            ["backup", "prove", "trio"],
            "engine bitnami keeps dumps; restore its databases into the running cluster: docs/",
        ),
        (["restore", "trio", "--as", "copy"], "a new cluster needs physical backups; restore its databases into the"),
        (["restore", "none", "--as", "copy"], "cluster none has no backups in an object store"),
        (
            ["backup", "delete", "trio"],
            "backup takes a cluster, or list or prove and a cluster; see: pgha backup --help",
        ),
    ],
    ids=["none", "list none", "prove dumps", "restore dumps", "restore none", "no such verb"],
)
def test_fails_with_what_to_do_instead(project: Path, words: list[str], said: str) -> None:
    code = "from pgha.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=project, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (project / "clusters/copy.yaml").exists()


RECOVERY = {"cluster": "shop", "objectStore": {"destination": "s3://backups", "credentialsSecret": "keys"}}
KEYS = {"data": {"ACCESS_KEY_ID": "", "ACCESS_SECRET_KEY": ""}}


def judged(job: dict[str, object]) -> Readiness:
    cluster = sample(recovery=RECOVERY)
    live = {"Secret": KEYS, "Cluster": {"spec": {}, "status": {"phase": "Setting up primary"}}, "Job": {"status": job}}
    return engine_of(cluster).readiness(cluster, lambda _version, kind, _namespace, _name: live.get(kind))


def test_a_recovery_that_failed_says_so_and_where_to_look() -> None:
    found = judged({"failed": 2})
    assert not found.failed
    assert "recovery failed 2 times; see kubectl -n db-ns logs -l cnpg.io/jobRole=full-recovery" in found.summary
    assert judged({"failed": 7, "conditions": [{"type": "Failed"}]}).failed
    assert "Setting up primary" in judged({"active": 1}).summary
