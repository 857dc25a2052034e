"""The access job of a cluster file, run here: its own script and statements, with passwords `password-0`, ….

`password-backup` is the backup role's.
"""

import subprocess
import tempfile
from pathlib import Path

from pgha.config.model import Cluster
from pgha.engines import plan
from tests.postgres import Server


def run(cluster: Cluster, *servers: Server) -> subprocess.CompletedProcess[str]:
    """What the Job would do to these servers."""
    planned = plan(cluster)
    objects = [*planned.stack, *planned.tree]
    data = next(o["data"] for o in objects if o["metadata"]["name"] == f"{cluster.name}-access")
    job = next(o for o in objects if o["kind"] == "Job")
    environment = {}
    for entry in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        name = entry["name"]
        environment[name] = entry.get("value") or name.lower().replace("pgha_password_", "password-")
    hosts = ",".join(server.host for server in servers)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in data.items():
            (Path(folder) / name).write_text(text)
        here = servers[0].environment() | {"PGHOST": hosts, "SQL": f"{folder}/access.sql", "WAIT": "3"}
        if "NAMES" not in here and not environment["NAMES"].startswith("ANY"):
            here["NAMES"] = ""
        return subprocess.run(
            ["/bin/sh", f"{folder}/access.sh"],
            env=environment | here,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def apply(cluster: Cluster, *servers: Server) -> None:
    """The same; it must succeed. The chart has made its own user before."""
    servers[0].query(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pgha_monitor') THEN "
        "CREATE ROLE pgha_monitor LOGIN CREATEDB PASSWORD 'password-monitor'; END IF; END $$"
    )
    done = run(cluster, *servers)
    assert done.returncode == 0, done.stderr
