"""A working copy of the repository that Argo CD reads, and the cluster `gitops` as Argo CD and its clients see it."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from ruamel.yaml import YAML
from running_lab import ROOT, Finished, run

from lab import git_server, kubernetes
from lab.home import KUBECONFIG
from pgha.config import load
from pgha.gitops import tree

NAMESPACE = "gitops"
ADDRESS = "127.168.10.108"  # 192.168.10.108, by way of the relay
_YAML = YAML()


class Workshop:
    """The working copy: a cluster file, its rendered tree, and the lab's Git server as its only remote."""

    def __init__(self, folder: Path, repository: str = "gitops") -> None:
        self.folder = folder
        self.file = folder / "clusters" / "gitops.yaml"
        self.file.parent.mkdir(parents=True)
        shutil.copy(ROOT / "tests/lab/clusters/gitops.yaml", self.file)
        self._described = self.file.read_text()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "operator")
        self.git("config", "user.email", "operator@example.com")
        self.git("config", "credential.helper", f"store --file={git_server.CREDENTIALS}")
        self.git("remote", "add", "lab", f"{git_server.OUTSIDE}/{repository}.git")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def describe(self, changes: dict[str, Any] | None = None) -> None:
        """The committed description with values at dotted paths replaced; None removes a key."""
        described = _YAML.load(self._described)
        for path, value in (changes or {}).items():
            *parents, key = path.split(".")
            section = described
            for parent in parents:
                section = section.setdefault(parent, {})
            if value is None:
                section.pop(key, None)
            else:
                section[key] = value
        with self.file.open("w") as file:
            _YAML.dump(described, file)

    def render(self) -> None:
        """What `pgha synth` writes of the tree."""
        shutil.rmtree(self.folder / "kubernetes", ignore_errors=True)
        for path, text in tree(load(self.file)).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)

    def push(self, message: str) -> str:
        """Commit everything and push; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        self.git("push", "--quiet", "--force", "lab", "main")
        return self.git("rev-parse", "HEAD")

    def commit(self, message: str, changes: dict[str, Any] | None = None) -> str:
        """Describe, render, commit, push."""
        self.describe(changes)
        self.render()
        return self.push(message)

    def revert(self) -> str:
        """Take the last commit back."""
        self.git("revert", "--no-edit", "HEAD")
        self.git("push", "--quiet", "lab", "main")
        return self.git("rev-parse", "HEAD")

    def pgha(self, *words: str) -> Finished:
        """Run pgha; FILE stands for this description. The lab is named, or each call would look after it first."""
        given = [str(self.file) if word == "FILE" else word for word in words]
        return run(".venv/bin/pgha", *given, f"--kubeconfig={KUBECONFIG}")


def kubectl(*words: str, stdin: str | None = None) -> str:
    return kubernetes.kubectl(*words, stdin=stdin, timeout=120)


def get(*words: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", f"--namespace={namespace}", "--output=json", *words))
    return found


def application(name: str = "gitops") -> dict[str, Any]:
    return get(f"applications.argoproj.io/{name}", namespace="argocd")


def refresh(name: str = "gitops") -> None:
    note = "argocd.argoproj.io/refresh=normal"
    kubectl("annotate", "--overwrite", "--namespace=argocd", f"applications.argoproj.io/{name}", note)


def synced(commit: str | None = None, name: str = "gitops") -> bool:
    """Whether Argo CD has applied that commit, or whatever is newest, and calls all of it healthy."""
    status = application(name).get("status") or {}
    at = status.get("sync") or {}
    return bool(
        at.get("status") == "Synced"
        and (commit is None or at.get("revision") == commit)
        and (status.get("health") or {}).get("status") == "Healthy"
        and (status.get("operationState") or {}).get("phase") in {"Succeeded", None}  # None: nothing was to be done
    )


def password() -> str:
    return base64.b64decode(get("secret/gitops-app")["data"]["password"]).decode()


def client() -> psycopg.Connection[tuple[Any, ...]]:
    """A client on the LAN."""
    return psycopg.connect(
        host=ADDRESS, user="app", dbname="app", password=password(), connect_timeout=5, autocommit=True
    )


def ask(sql: str) -> Any:
    """The first value of an answer."""
    with client() as connection:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None


def do(sql: str) -> None:
    """A statement without an answer."""
    with client() as connection:
        connection.execute(sql)


def identities(*kinds: str) -> dict[str, str]:
    """Uids of objects in the cluster's namespace by kind and name: the same before and after is untouched.

    Without a role's own certificate, which comes and goes with the role.
    """
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["uid"]
        for item in get(",".join(kinds))["items"]
        if "DatabaseRole" not in [owner["kind"] for owner in item["metadata"].get("ownerReferences", [])]
    }


def servers() -> dict[str, str]:
    """Uids of the pods that run PostgreSQL."""
    items = get("pods", "--selector=cnpg.io/podRole=instance")["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


def primary() -> str:
    return str(get("clusters.postgresql.cnpg.io/gitops")["status"]["currentPrimary"])
