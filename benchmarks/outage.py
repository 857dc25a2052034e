"""How long writes stop, by cause: a client on the LAN writes while something dies.

    python benchmarks/outage.py [--runs 5] [--causes pod,switchover,rollout,node,node-with-operator]
                                [--through lan,pooler] [--settings ours,stock | --running]

With --running: the lab that runs, as it is; its cluster then stays synchronous until the next `pgha up lab`. Else, as
root, it starts the lab and removes it, once for each of the settings, and refuses where one is running. `ours`: two
operators on two nodes, fast timers. `stock`: the operator as its manifest has it, Kubernetes' own timers, a Cluster
without the fields that pgha sets for a failover's sake, and no poolers. There a dead node costs minutes; five runs of
everything take two hours and a half. `rollout` and `pooler` are left out there: they need what pgha makes.
"""

import argparse
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import addons

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv/bin"
SUMMARY = re.compile(r"acknowledged (\d+), found (\d+), lost (\d+), longest gap ([\d.]+) s")
QUIET = 25
"""Seconds of nothing but writes before the cause. For 20 the operator keeps connections that it had open, and may wait
30 on one of them for a dead server: that belongs to the change just made, not to the cause (the outage page).
"""
STOCK_CLUSTER: dict[str, Any] = {
    "smartShutdownTimeout": None,
    "switchoverDelay": None,
    "primaryLease": None,
    "probes": None,
    "affinity": {"tolerations": None},
    "postgresql": {"parameters": {"wal_retrieve_retry_interval": None}},
}
"""Takes out what pgha sets for a failover's sake. What decides whether a write may be lost stays."""


def main() -> None:
    """Every cause under both settings, one after another on the same machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--causes", default=",".join(CAUSES))
    parser.add_argument("--settings", default="ours,stock")
    parser.add_argument("--through", default="lan")
    parser.add_argument("--running", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and what it starts, ignores it
    if not given.running and list(Path("/run/netns").glob("lab-*")):
        sys.exit("a lab is running; remove it first: make down")
    print(f"machine: {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; outage of writes from the LAN, seconds")
    print(f"{'settings':10} {'cause':20} {'through':8} {'median':>8} {'worst':>8} {'lost':>6}   runs")
    for settings in ["running"] if given.running else given.settings.split(","):
        if not given.running:
            start(settings)
        apply(synchronous())
        if settings == "stock":
            make_stock()
        lacking = {"rollout", "pooler"} if settings == "stock" else set()
        causes = [cause for cause in given.causes.split(",") if cause not in lacking]
        ways = [way for way in given.through.split(",") if way not in lacking]
        for cause, way in itertools.product(causes, ways):
            measured = []
            for number in range(given.runs):
                measured.append(measure(cause, patience(settings, cause), HOSTS[way]()))
                print(f"  {cause} {number + 1}/{given.runs}: {measured[-1][0]:.1f} s", file=sys.stderr, flush=True)
            gaps, lost = [gap for gap, _ in measured], sum(rows for _, rows in measured)
            runs = " ".join(f"{gap:.1f}" for gap in gaps)
            row = f"{settings:10} {cause:20} {way:8} {statistics.median(gaps):8.1f} {max(gaps):8.1f} {lost:6d}   {runs}"
            print(row, flush=True)
        if not given.running:
            run(BIN / "lab", "down")


def patience(settings: str, cause: str) -> int:
    """Seconds to go on writing after the cause: longer than the outage can be."""
    if cause == "rollout":
        return 120
    if settings != "stock":
        return 90 if cause.startswith("node") else 40
    return {"pod": 90, "switchover": 60, "node": 180, "node-with-operator": 480}[cause]


def start(settings: str) -> None:
    """A lab with these settings."""
    run(BIN / "lab", "up", "--timers", "fast" if settings == "ours" else "stock")


def make_stock() -> None:
    """The operator as its makers publish it, and a Cluster with the operator's own defaults."""
    operator = addons.published("cloudnative-pg/cloudnative-pg.yaml")
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=operator)
    kubectl("rollout", "status", "--namespace=cnpg-system", "deployment/cnpg-controller-manager", "--timeout=120s")
    kubectl("delete", "poolers.postgresql.cnpg.io", "--all", "--namespace=lab-postgresql")
    words = ("patch", "clusters.postgresql.cnpg.io/lab", "--namespace=lab-postgresql", "--type=merge")
    kubectl(*words, f"--patch={json.dumps({'spec': STOCK_CLUSTER})}")
    time.sleep(10)  # until the operator has seen it: a second later the Cluster still calls itself healthy
    until_whole()


def synchronous() -> dict[str, Any]:
    """The lab's cluster file; synchronous, so that nothing acknowledged may be lost, and with poolers."""
    file: dict[str, Any] = YAML(typ="safe").load(ROOT / "clusters/lab.yaml")
    return {**file, "replication": {"mode": "sync"}, "pooler": {"instances": 2}}


def apply(file: dict[str, Any]) -> None:
    """Make the running cluster so."""
    path = ROOT / ".cache/outage/clusters/lab.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(file))
    run(BIN / "pgha", "up", str(path))


HOSTS: dict[str, Callable[[], str]] = {
    "lan": lambda: "192.168.10.100",
    # A Service's own address is known on the nodes alone; the LAN's host has routes to pods.
    "pooler": lambda: str(
        listed("pods", "--namespace=lab-postgresql", "--selector=cnpg.io/poolerName")[0]["status"]["podIP"]
    ),
}


def measure(cause: str, seconds: int, host: str) -> tuple[float, int]:
    """Seconds without a stored write, and acknowledged rows that are missing."""
    until_whole()
    if cause in WITH_OPERATOR:
        arrange(WITH_OPERATOR[cause])
    password = kubectl(
        "get", "secret/lab-app", "--namespace=lab-postgresql", "--output=go-template={{.data.password|base64decode}}"
    )
    writer = subprocess.Popen(
        [BIN / "lab", "run-on-lan", "--", BIN / "python", "docs/tutorial/writer.py", f"--seconds={QUIET + seconds}"],
        env={**os.environ, "PGHOST": host, "PGUSER": "app", "PGDATABASE": "app", "PGPASSWORD": password},
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    time.sleep(QUIET)
    repair = CAUSES[cause]()
    said = listen(writer, quiet=seconds if cause == "rollout" else 20)
    repair()
    found = SUMMARY.search(said)
    if found is None:
        sys.exit(f"the writer did not end well:\n{said[-2000:]}")
    return float(found[4]), int(found[3])


def listen(writer: subprocess.Popen[str], quiet: float) -> str:
    """What the writer says; it is told to stop when so many seconds have passed since writes went on."""
    said, stop = "", threading.Timer(0, lambda: None)
    for line in writer.stdout or ():
        said += line
        if "stored again" in line:
            stop.cancel()
            stop = threading.Timer(quiet, writer.send_signal, [signal.SIGINT])
            stop.start()
    stop.cancel()
    writer.wait()
    return said


def pod() -> Callable[[], object]:
    """The primary's pod is killed at once."""
    kubectl("delete", "pod", primary(), "--namespace=lab-postgresql", "--grace-period=0", "--force")
    return lambda: None


def switchover() -> Callable[[], object]:
    """A planned change of the primary."""
    run(BIN / "pgha", "switchover", "lab")
    return lambda: None


def node() -> Callable[[], object]:
    """The primary's node loses power; returns what gives it back."""
    dead = node_of(primary())
    run(BIN / "lab", "node", "stop", dead)
    return lambda: run(BIN / "lab", "node", "start", dead)


def rollout() -> Callable[[], object]:
    """Another image, as for a minor release: standbys first, then a switchover. The lab has one image by two names."""
    now = cluster()["spec"]["imageName"]
    file = synchronous()
    apply({**file, "postgresql": {**file["postgresql"], "image": next(name for name in IMAGES if name != now)}})
    return lambda: None


IMAGES = [f"ghcr.io/cloudnative-pg/postgresql:17.11-{flavour}-trixie" for flavour in ("standard", "minimal")]

CAUSES: dict[str, Callable[[], Callable[[], object]]] = {
    "pod": pod,
    "switchover": switchover,
    "rollout": rollout,
    "node": node,
    "node-with-operator": node,
}
WITH_OPERATOR = {"node": False, "node-with-operator": True}
"""Whether the operator that leads dies with the primary."""


def arrange(with_operator: bool) -> None:
    """Bring primary and leading operator to one node, or to two. Never n1: the API server has no second."""
    for _ in range(8):
        if fits(with_operator):
            return
        move(with_operator)
        until_whole()
    sys.exit("primary and operator could not be brought to where they are wanted")


def fits(with_operator: bool) -> bool:
    """Whether the primary's node may be killed, and the leading operator is there or is not, as asked."""
    place = node_of(primary())
    return place != "n1" and (leader_node() == place) == with_operator


def move(with_operator: bool) -> None:
    """Bring primary and leading operator to one node, or to two."""
    place = leader_node()
    if with_operator and place == "n1":  # another leads after it
        kubectl("delete", "pod", leader(), "--namespace=cnpg-system")
        time.sleep(10)
        return
    others = {name: where for name, where in instances().items() if where != "n1" and name != primary()}
    target = next((name for name, where in others.items() if (where == place) == with_operator), None)
    if target is not None:
        run(BIN / "pgha", "switchover", "lab", "--to", target)
    else:
        kubectl("delete", "pod", leader(), "--namespace=cnpg-system")
        time.sleep(10)


def primary() -> str:
    """The primary's pod."""
    return str(cluster()["status"]["currentPrimary"])


def instances() -> dict[str, str]:
    """Nodes of the instances, by pod."""
    pods = listed("pods", "--namespace=lab-postgresql", "--selector=cnpg.io/podRole=instance")
    return {item["metadata"]["name"]: item["spec"]["nodeName"] for item in pods}


def node_of(name: str) -> str:
    """Where a pod of the cluster runs."""
    return instances()[name]


def leader() -> str:
    """The pod of the operator that leads."""
    holders = [item["spec"].get("holderIdentity", "") for item in listed("leases", "--namespace=cnpg-system")]
    return str(next(holder for holder in holders if holder.startswith("cnpg-controller-manager"))).rpartition("_")[0]


def leader_node() -> str:
    """Where it runs."""
    pods = listed("pods", "--namespace=cnpg-system")
    found = {item["metadata"]["name"]: item["spec"]["nodeName"] for item in pods}
    return str(found.get(leader(), ""))


def cluster() -> dict[str, Any]:
    """The live Cluster."""
    words = ("get", "clusters.postgresql.cnpg.io/lab", "--namespace=lab-postgresql", "--output=json")
    found: dict[str, Any] = json.loads(kubectl(*words))
    return found


def until_whole() -> None:
    """All three instances ready and two operators or one, as they were."""
    for _ in range(300):
        status = cluster().get("status", {})
        if status.get("readyInstances") == 3 and status.get("phase") == "Cluster in healthy state":
            return
        time.sleep(1)
    sys.exit("the cluster is not whole after five minutes")


def listed(*words: str) -> list[dict[str, Any]]:
    """Objects of a kind."""
    items: list[dict[str, Any]] = json.loads(kubectl("get", *words, "--output=json"))["items"]
    return items


def kubectl(*words: str, stdin: str = "") -> str:
    """Kubernetes' own command line, on the lab's first node."""
    return run(BIN / "lab", "exec", "n1", "kubectl", *words, stdin=stdin)


def run(*words: str | Path, stdin: str = "") -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(words, cwd=ROOT, input=stdin, text=True, check=False, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
