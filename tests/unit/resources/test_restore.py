"""docs/how-to/restore-a-dump.md, executed: its shell blocks, one after the other, on a dump of the real script."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access import apply
from tests.postgres import Server, primary
from tests.support import ROOT, anywhere, postgres_ha

ADMIN = {"user": "admin", "password": "password-0"}
APPLICATION = {"user": "app_user", "password": "password-1"}


@pytest.fixture
def server() -> Iterator[Server]:
    with primary() as found:
        apply(anywhere(postgres_ha()), found)
        found.query("CREATE TABLE t (n int); INSERT INTO t VALUES (1)", "appdb", **ADMIN)
        yield found


def test_the_how_to_brings_the_rows_back(server: Server, tmp_path: Path) -> None:
    script = ROOT / "constructs" / "pgha" / "resources" / "scripts" / "backup.sh"
    here = {"FOLDER": str(tmp_path), "KEEP": "7", "SKIP": "repmgr"}
    env = server.environment(user="pgha_backup", password="password-backup") | here
    subprocess.run(["sh", str(script)], env=env, check=True, timeout=60)
    server.query("DELETE FROM t", "appdb", **APPLICATION)

    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "docs/how-to/restore-a-dump.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 4
    text = "set -e\n" + "\n".join(blocks)
    done = subprocess.run(
        ["sh", "-c", text], env=server.environment() | here, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert server.query("SELECT n FROM t", "appdb", **APPLICATION) == "1"
    assert server.query("SELECT count(*) FROM pg_database WHERE datname = 'appdb_before'") == "0"
    denied = server.try_query("CREATE TABLE mine ()", "appdb", **APPLICATION)
    assert denied.returncode != 0
