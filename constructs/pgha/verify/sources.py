"""Where each reading comes from; only those that a chosen check needs are read, and each once."""

import base64
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.delivery.proof import credentials
from pgha.delivery.target import Target
from pgha.engines import engine_of, plan
from pgha.engines.base import Endpoint
from pgha.resources.credentials import Login, logins
from pgha.resources.metadata import Object
from pgha.verify import drift, instances, lan, ledger, pod, rows
from pgha.verify.checks.admission import OPEN
from pgha.verify.readings import Missing, Reading, absent, unasked, unread

Say = Callable[[str], None]

_LISTS = {
    "pods": ("v1", "Pod"),
    "services": ("v1", "Service"),
    "slices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "claims": ("v1", "PersistentVolumeClaim"),
    "budgets": ("policy/v1", "PodDisruptionBudget"),
    "policies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "rules": ("monitoring.coreos.com/v1", "PrometheusRule"),
}
"""Readings that are lists of objects in the cluster's namespace."""
_WIDE = {"volumes": ("v1", "PersistentVolume"), "classes": ("storage.k8s.io/v1", "StorageClass")}
"""The same for objects that are in no namespace."""

RATE = 100.0
"""Statements a second of every load: what `normal load` means here."""
LOAD_SECONDS = 4.0
CONNECTIONS = 100
"""Spec, SC-003."""
ROWS = 200


@dataclass(kw_only=True)
class Sources:
    """What a run reads from, and how far it may go."""

    api: Api
    cluster: Cluster
    target: Target
    path: Path
    image: str = pod.IMAGE
    write: bool = False
    lan: bool = True
    before: dict[str, Any] | Missing = field(default_factory=lambda: unasked("--report DIR keeps one to compare with"))
    probes: Path | None = None
    say: Say = lambda _: None

    def read(self, names: Iterable[str], phase: Callable[[str], Any]) -> dict[str, Any]:
        """The named readings; `phase` makes a context that shows what is being read.

        Raises:
            UserError: The cluster does not run there.
        """
        self._must_run()
        wanted = set(names)
        found: dict[str, Any] = {}
        with phase("read the objects"):
            for name in sorted(wanted):
                if (reader := self._readers().get(name)) is not None:
                    found[name] = reader()
        if "drift" in wanted:
            with phase("compare the plan with what lives"):
                found["drift"] = self._tried(lambda: drift.read(self.api, plan(self.cluster), self.say))
        with rows.schema(self.api, self.cluster, self._instance_pods(), wanted=self.write and "rows" in wanted) as own:
            for vantage in ("lan", "pod"):
                steps = [name.partition(".")[2] for name in sorted(wanted) if name.startswith(f"{vantage}.")]
                if "limit" in steps and not self.write:
                    steps.remove("limit")
                    found[f"{vantage}.limit"] = unasked(
                        "it takes every free connection for a moment: only with --write"
                    )
                if "rows" in wanted and own is None:
                    steps.append("write")
                if steps:
                    with phase(f"measure from {'the LAN' if vantage == 'lan' else 'a pod'}"):
                        found |= self._measured(vantage, steps)
            if "rows" in wanted:
                found["rows"] = own or self._rows(found, phase)
        if "instances" in wanted:
            with phase("ask every instance"):
                found["instances"] = self._tried(lambda: instances.read(self.api, self.cluster, self._instance_pods()))
        return found

    def _must_run(self) -> None:
        if not self._instance_pods():
            raise UserError(
                f"no instance of cluster {self.cluster.name} runs in namespace {self.cluster.namespace}",
                f"start it: pgha up {self.cluster.name}, or name another Kubernetes with --kubeconfig",
            )

    def _readers(self) -> dict[str, Callable[[], Reading]]:
        found: dict[str, Callable[[], Reading]] = {
            "secrets": lambda: self._tried(self._secrets),
            "readiness": lambda: self._tried(lambda: engine_of(self.cluster).readiness(self.cluster, self.api.read)),
            "primary": lambda: self._tried(lambda: engine_of(self.cluster).primary(self.cluster, self.api.read)),
            "application": lambda: self._tried(self._application),
            "backups": lambda: self._tried(self._backups),
            "files": self._files,
            "before": lambda: self.before,
            "probes": self._probes,
            "loopback": lambda: self._tried(self._loopback),
        }
        for name, (version, kind) in _LISTS.items():
            found[name] = lambda version=version, kind=kind: self._list(version, kind, self.cluster.namespace)  # type: ignore[misc]
        for name, (version, kind) in _WIDE.items():
            found[name] = lambda version=version, kind=kind: self._list(version, kind, None)  # type: ignore[misc]
        return found

    def _list(self, version: str, kind: str, namespace: str | None) -> Reading:
        if not self.api.knows(version, kind):
            return []
        return self._tried(lambda: self.api.list(version, kind, namespace))

    @staticmethod
    def _tried(question: Callable[[], Reading]) -> Reading:
        try:
            return question()
        except ApiError as error:
            return unread(error.what)

    def _secrets(self) -> dict[str, dict[str, Any]]:
        """Keys and user name of each Secret; the passwords are dropped at once."""
        found = {}
        for user in self.cluster.users:
            name = self.cluster.secret_name(user)
            live = self.api.read("v1", "Secret", self.cluster.namespace, name)
            data = (live or {}).get("data") or {}
            username = base64.b64decode(data.get("username", "")).decode()
            found[user.name] = {"secret": name, "exists": live is not None, "keys": sorted(data), "username": username}
        return found

    def _backups(self) -> dict[str, Any] | Missing:
        if self.cluster.backup is None:
            return absent("the file asks for no backup")
        backups = engine_of(self.cluster).backups
        return {
            "known": backups.known(self.cluster, self.api.list),
            "trouble": backups.trouble(self.cluster, self.api.read),
        }

    def _application(self) -> Object | Missing | None:
        if self.cluster.delivery != "argocd":
            return absent("the file delivers with OpenTofu, not with Argo CD")
        gitops = self.cluster.gitops
        return self.api.read("argoproj.io/v1alpha1", "Application", gitops.argocd_namespace, self.cluster.name)

    def _files(self) -> dict[str, Any] | Missing:
        """Whether Git holds the cluster file as it is."""
        folder, name = self.path.resolve().parent, self.path.name

        def git(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)

        try:
            if git("rev-parse", "--is-inside-work-tree").returncode != 0:
                return unasked(f"no Git repository holds {self.path}")
            return {
                "tracked": git("ls-files", "--error-unmatch", name).returncode == 0,
                "modified": git("diff", "--quiet", "HEAD", "--", name).returncode != 0,
                "commit": git("log", "-1", "--format=%h %cI", "--", name).stdout.strip(),
                "age": time.time() - self.path.stat().st_mtime,
            }
        except OSError:
            return unasked("there is no program git")

    def _probes(self) -> Reading:
        return ledger.summary(self.probes) if self.probes else unasked("pgha verify --watch records them")

    def _loopback(self) -> Reading:
        """A connection to the server's own 127.0.0.1, an address that no file lists, as the first login."""
        engine = engine_of(self.cluster)
        shell, login = engine.shell(self.cluster), logins(self.cluster)[0]
        if shell.open_by_password:
            return absent(OPEN)
        where = f"host=127.0.0.1 user={login.user} dbname={login.database} password=wrong-on-purpose"
        name = self._instance_pods()[0]["metadata"]["name"]
        command = ["psql", "-XAtq", where, "-c", "SELECT 1"]
        try:
            return self.api.execute(self.cluster.namespace, name, shell.container, command)
        except ApiError as error:
            return unread(error.what) if error.status else error.what.rpartition("FATAL:")[2].strip()

    def _instance_pods(self) -> list[Object]:
        labels = dict(engine_of(self.cluster).instances(self.cluster))
        return self.api.list("v1", "Pod", self.cluster.namespace, labels)

    def _measured(self, vantage: str, steps: list[str]) -> dict[str, Any]:
        missing: Missing | None = None
        ends = [end for end in engine_of(self.cluster).endpoints(self.cluster) if _is_at(end, vantage)]
        if not ends:
            missing = absent(f"the file offers no address for {'the LAN' if vantage == 'lan' else 'pods'}")
        elif vantage == "lan" and not self.lan:
            missing = unasked("--no-lan")
        answer = missing or self._tried(lambda: self._asked(vantage, ends, steps))
        if isinstance(answer, Missing):
            return {f"{vantage}.{step}": answer for step in steps}
        found: dict[str, Any] = {}
        for step in steps:
            facts = answer.get(step)
            if facts is None:
                found[f"{vantage}.{step}"] = unread(f"the client ended before its step {step}")
            elif set(facts) == {"error"}:
                found[f"{vantage}.{step}"] = unread(f"the client's step {step} failed: {facts['error']}")
            else:
                found[f"{vantage}.{step}"] = facts
        return found

    def _asked(self, vantage: str, ends: list[Endpoint], steps: list[str]) -> dict[str, Any] | Missing:
        ways = logins(self.cluster)
        request: dict[str, Any] = {
            "steps": _in_order(steps),
            "endpoints": [_address(end) for end in ends],
            "logins": [_login(number, way) for number, way in enumerate(ways)],
            "tls_required": self.cluster.network.tls == "required",
            "connections": CONNECTIONS,
            "rate": RATE,
            "seconds": LOAD_SECONDS,
            "rows": ROWS,
            "origin": vantage,
            "exporters": [each["status"]["podIP"] for each in self._instance_pods() if each["status"].get("podIP")],
        }
        if self.write:
            request |= {"read": rows.READ, "commit": rows.COMMIT}
        if vantage == "pod":
            return pod.measure(self.api, self.cluster, request, ways, image=self.image, say=self.say)
        for entry, way in zip(request["logins"], ways, strict=True):
            entry["password"] = self._password(way)
        return lan.measure(request, prefix=self.target.lan, say=self.say)

    def _password(self, way: Login) -> str | None:
        """None where the Secret holds none: then this login fails, and no other."""
        try:
            return credentials(self.api, self.cluster.namespace, way.secret)[1]
        except UserError:
            return None

    def _rows(self, found: dict[str, Any], phase: Callable[[str], Any]) -> Reading:
        with phase("look for every acknowledged write"):
            wrote = {vantage: found.pop(f"{vantage}.write", None) for vantage in ("lan", "pod")}
            wrote = {vantage: facts for vantage, facts in wrote.items() if isinstance(facts, dict)}
            if not wrote:
                return unread("no vantage could write")
            return self._tried(lambda: rows.survey(self.api, self.cluster, self._instance_pods(), wrote))


def _is_at(end: Endpoint, vantage: str) -> bool:
    return end.vantage == ("cluster" if vantage == "pod" else "lan")


def _address(end: Endpoint) -> dict[str, Any]:
    return {"host": end.host, "port": end.port, "role": end.role, "pooled": end.pooled, "tls": end.sslmode}


def _login(number: int, way: Login) -> dict[str, Any]:
    return {"user": way.user, "database": way.database, "variable": pod.variable(number)}


def _in_order(steps: list[str]) -> list[str]:
    """What disturbs most comes last."""
    order = ["connections", "logins", "refusals", "metrics", "concurrent", "mixed", "write", "hundred", "limit"]
    return [step for step in order if step in steps]
