"""Transactions per second and p95 latency of 100 clients: each way into the cluster against a bare PostgreSQL.

    python benchmarks/throughput.py [--rounds 3] [--seconds 20]

Run as root with the lab up. pgbench's own mixed load (three updates, a select, an insert) comes from the LAN's host, by
turns over every way, so that a slow minute of this machine hits all of them. The bare server is the same program with
the same settings on the same machine, without Kubernetes, network and standbys: the ratio is what all of these cost.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import rootfs

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv/bin"
CLIENTS, SCALE, BARE_PORT = 100, 10, 5433
PARAMETERS = {"max_connections": 200, "shared_buffers": "128MB"}
PROGRAMS = "/usr/lib/postgresql/17/bin"


def main() -> None:
    """Fill both servers, then measure by turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    given = parser.parse_args()
    apply_cluster()
    tree = rootfs.unpack(rootfs.POSTGRESQL)
    with tempfile.TemporaryDirectory(prefix="pgha-bench-") as name, bare(tree, Path(name)) as password:
        ways = {"bare": (LAN_HOST, BARE_PORT, password), **into_the_cluster()}
        for way in ("bare", "primary"):
            pgbench(tree, Path(name), ways[way], "--initialize", f"--scale={SCALE}", "--quiet")
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, address in ways.items():
                found[way].append(load(tree, Path(name), address, given.seconds))
    print(f"machine: {os.cpu_count()} cores; {CLIENTS} clients, scale {SCALE}, median of {given.rounds} rounds")
    print(f"{'way':10} {'tps':>8} {'p95 ms':>8} {'tps ratio':>10} {'p95 ratio':>10}")
    base = middle(found["bare"])
    for way, rounds in found.items():
        tps, p95 = middle(rounds)
        print(f"{way:10} {tps:8.0f} {p95:8.1f} {tps / base[0]:10.2f} {p95 / base[1]:10.2f}")


LAN_HOST = "192.168.10.1"


def middle(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Median throughput and median p95."""
    return statistics.median(tps for tps, _ in rounds), statistics.median(p95 for _, p95 in rounds)


def apply_cluster() -> None:
    """The lab's cluster with room for all clients, poolers, and both cores for each server."""
    file: dict[str, Any] = YAML(typ="safe").load(ROOT / "clusters/lab.yaml")
    file["postgresql"]["parameters"] = PARAMETERS
    file["resources"]["limits"] = {"cpu": "2", "memory": "1Gi"}
    path = ROOT / ".cache/throughput/clusters/lab.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**file, "pooler": {"instances": 3}}))
    run(BIN / "pgha", "up", path)


def into_the_cluster() -> dict[str, tuple[str, int, str]]:
    """Host, port and password of every way in. The LAN's host has routes to pods, not to Services."""
    password = kubectl("get", "secret/lab-app", "--output=go-template={{.data.password|base64decode}}")
    primary = kubectl("get", "clusters.postgresql.cnpg.io/lab", "--output=jsonpath={.status.currentPrimary}")
    pooler = "--selector=cnpg.io/poolerName"
    return {
        "primary": (kubectl("get", f"pod/{primary}", "--output=jsonpath={.status.podIP}"), 5432, password),
        "pooler": (kubectl("get", "pods", pooler, "--output=jsonpath={.items[0].status.podIP}"), 5432, password),
        "lan": ("192.168.10.100", 5432, password),
    }


@contextmanager
def bare(tree: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL of the same tree on the LAN's host; yields its password."""
    password = secrets.token_urlsafe(24)
    data = folder / "data"
    data.mkdir()
    (folder / "password").write_text(password)
    for path in (folder, data, folder / "password"):
        shutil.chown(path, 26, 26)
    words = [
        "--username=app",
        "--pwfile=/mnt/password",
        "--auth=scram-sha-256",
        "--data-checksums",
        "--pgdata=/mnt/data",
    ]
    run(*inside(tree, folder, "initdb", *words))
    (folder / "password").unlink()
    settings = PARAMETERS | {"listen_addresses": LAN_HOST, "port": BARE_PORT, "unix_socket_directories": "/mnt"}
    with (data / "pg_hba.conf").open("a") as file:
        file.write("host all all 192.168.10.0/24 scram-sha-256\n")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    server = subprocess.Popen(
        on_lan(*inside(tree, folder, "postgres", "-D", "/mnt/data", *options)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait(lambda: ready(tree, folder))
        pgbench_sql(tree, folder, password, "create database app")
        yield password
    finally:
        server.terminate()
        server.wait(30)


def inside(tree: Path, folder: Path, program: str, *words: str) -> list[str]:
    """The command for a program of the tree, as PostgreSQL's user, with `folder` at /mnt."""
    script = 'mount --bind "$1" "$2/mnt" && shift && exec chroot --userspec=26:26 "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(folder), str(tree), f"{PROGRAMS}/{program}", *words]


def on_lan(*words: str) -> list[str]:
    """The same as the LAN's host."""
    return [str(BIN / "lab"), "run-on-lan", "--", *words]


def ready(tree: Path, folder: Path) -> bool:
    """Whether the bare server answers."""
    words = on_lan(*inside(tree, folder, "pg_isready", f"--host={LAN_HOST}", f"--port={BARE_PORT}"))
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def pgbench_sql(tree: Path, folder: Path, password: str, sql: str) -> None:
    """One statement on the bare server."""
    address = [f"--host={LAN_HOST}", f"--port={BARE_PORT}", "--username=app", "--dbname=postgres"]
    run(*on_lan(*inside(tree, folder, "psql", *address, f"--command={sql}")), env={"PGPASSWORD": password})


def pgbench(tree: Path, folder: Path, address: tuple[str, int, str], *words: str) -> str:
    """Run pgbench from the LAN's host."""
    host, port, password = address
    given = [f"--host={host}", f"--port={port}", "--username=app", *words, "app"]
    return run(*on_lan(*inside(tree, folder, "pgbench", *given)), env={"PGPASSWORD": password})


def load(tree: Path, folder: Path, address: tuple[str, int, str], seconds: int) -> tuple[float, float]:
    """Transactions per second, and the 95th percentile of their latency in milliseconds."""
    for old in folder.glob("log*"):
        old.unlink()
    logged = ["--log", "--log-prefix=/mnt/log", "--no-vacuum"]
    said = pgbench(tree, folder, address, f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}", *logged)
    if "number of failed transactions: 0 " not in said:
        sys.exit(f"transactions failed:\n{said}")
    tps = float(next(line for line in said.splitlines() if line.startswith("tps = ")).split()[2])
    micros = sorted(
        int(line.split()[2]) for path in folder.glob("log*") for line in path.read_text().splitlines() if line
    )
    return tps, micros[int(len(micros) * 0.95)] / 1000


def kubectl(*words: str) -> str:
    """Kubernetes' own command line, in the cluster's namespace."""
    return run(BIN / "lab", "exec", "n1", "kubectl", "--namespace=lab-postgresql", *words)


def wait(until: Callable[[], bool]) -> None:
    """For at most half a minute."""
    for _ in range(60):
        if until():
            return
        time.sleep(0.5)
    sys.exit("the bare server does not answer")


def run(*words: str | Path, env: dict[str, str] | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        words, cwd=ROOT, text=True, check=False, capture_output=True, env={**os.environ, **(env or {})}
    )
    if done.returncode != 0:
        sys.exit(f"{Path(words[0]).name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
