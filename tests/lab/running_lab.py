"""The running cluster as its clients and its operator see it, and how a test waits for it."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lab import kubernetes
from lab.steps import LabError

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "lab-postgresql"


@dataclass(frozen=True)
class Finished:
    """What a command printed, and how long it took."""

    code: int
    out: str
    seconds: float


def clean_environment() -> dict[str, str]:
    """A newcomer's: no KUBECONFIG, no virtual environment."""
    return {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "VIRTUAL_ENV"}}


def run(*words: str) -> Finished:
    """Run a command as a person would, from the repository's folder."""
    started = time.monotonic()
    done = subprocess.run(
        words, cwd=ROOT, env=clean_environment(), text=True, check=False, timeout=3000,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Finished(done.returncode, done.stdout, time.monotonic() - started)


def eventually(question: Callable[[], Any], *, within: float, every: float = 0.5) -> Any:
    """Ask until the answer is true; the last exception or answer is the failure."""
    deadline = time.monotonic() + within
    while True:
        try:
            answer: Any = question()
        except (psycopg.Error, LabError, json.JSONDecodeError) as error:
            answer, failure = None, f"{type(error).__name__}: {error}"
        else:
            failure = f"answer: {answer!r}"
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s; last {failure}")
        time.sleep(every)


class Database:
    """The running cluster, as its clients and its operator see it."""

    first_up: Finished | None
    """What `make up` printed when this session started the lab; None where it ran before."""

    def __init__(self, first_up: Finished | None) -> None:
        self.first_up = first_up

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return kubernetes.kubectl(*words, stdin=stdin, timeout=120)

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", f"--namespace={NAMESPACE}", "--output=json", *words))
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("clusters.postgresql.cnpg.io/lab")["status"]
        return found

    def password(self) -> str:
        return base64.b64decode(self.get("secret/lab-app")["data"]["password"]).decode()

    def from_lan(self, **changes: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the LAN address; on this machine it stands behind the loopback relay."""
        settings: dict[str, Any] = {
            "host": "127.168.10.100", "user": "app", "dbname": "app", "password": self.password(),
            "connect_timeout": 5, "autocommit": True, "tcp_user_timeout": 5000,
        }  # fmt: skip
        return psycopg.connect(**(settings | changes))

    def pods(self) -> dict[str, dict[str, Any]]:
        """Instances by name."""
        items = self.get("pods", "--selector=cnpg.io/cluster=lab,cnpg.io/podRole=instance")["items"]
        return {item["metadata"]["name"]: item for item in items}

    def whole(self) -> bool:
        """Whether the operator says so and every instance agrees: of a node that is just back it knows less."""
        status = self.status()
        if status.get("readyInstances") != 3 or status["phase"] != "Cluster in healthy state":
            return False
        roles = [self.in_pod(pod, "select pg_is_in_recovery()") for pod in self.pods()]
        following = self.in_pod(status["currentPrimary"], "select count(*) from pg_stat_replication")
        return sorted(roles) == ["f", "t", "t"] and following == "2"

    def in_pod(self, pod: str, sql: str) -> str:
        """Ask one instance over its local socket."""
        words = ("exec", f"--namespace={NAMESPACE}", pod, "--container=postgres", "--")
        return self.kubectl(*words, "psql", "--no-psqlrc", "-qtAX", "--dbname=app", f"--command={sql}").strip()

    def heal(self) -> None:
        """Wait until all instances are ready. Nobody need write: an idle cluster has its heartbeat."""
        eventually(self.whole, within=300, every=3)
