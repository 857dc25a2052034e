"""A project folder of a test's own with one small cluster in it, run by pgha with or without OpenTofu on PATH."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from running_lab import ROOT, Database, clean_environment, eventually

from lab import programs
from lab.home import STATE

Way = Literal["tofu", "server-side"]

INIT_SECONDS = 180
PGHA = str(Path(sys.executable).with_name("pgha"))
_FILE = """
name: {name}
namespace: {namespace}
engine: cloudnative-pg
delivery: {delivery}
instances: 2
postgresql:
  version: "17"
resources:
  requests: {{ cpu: 100m, memory: 256Mi }}
  limits: {{ cpu: "1", memory: 512Mi }}
storage:
  size: 10Gi
network:
  loadBalancer:
    address: {address}
    pool: {{ addresses: [{address}-{address}] }}
  networks: [10.244.0.0/16, 192.168.10.0/24]
  podCidr: 10.244.0.0/16
  serviceCidr: 10.96.0.0/16
monitoring:
  enabled: false
silence: [PGHA-W607]
"""

POOLS = "ipaddresspools.metallb.io,l2advertisements.metallb.io"
PASSING = {
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
}
"""What the cluster writes about itself while it runs."""
CHOSEN = {"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "nodeName", "volumeName"}
"""What the server chooses anew for every object."""
CHOSEN_NOTES = {"volume.kubernetes.io/selected-node"}


def _without(value: Any, keys: set[str]) -> Any:
    match value:
        case dict():
            return {key: _without(inner, keys) for key, inner in value.items() if key not in keys}
        case list():
            return [_without(inner, keys) for inner in value]
        case _:
            return value


def _shape(obj: dict[str, Any]) -> dict[str, Any]:
    """An object as its author means it: everything but status, the server's choices and secret values."""
    meta = obj["metadata"]
    notes = {key: text for key, text in meta.get("annotations", {}).items() if key not in CHOSEN_NOTES}
    kept = {key: meta[key] for key in ("labels", "finalizers", "ownerReferences") if key in meta}
    body = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
    if obj["kind"] == "Secret":
        body["data"] = sorted(obj.get("data", {}))
    shaped: dict[str, Any] = _without(body | {"metadata": kept | {"annotations": notes}}, CHOSEN | {"uid"})
    if obj["kind"] == "Pod":  # the token volume's name is random
        text = json.dumps(shaped)
        for volume in obj["spec"]["volumes"]:
            if volume["name"].startswith("kube-api-access-"):
                text = text.replace(volume["name"], "kube-api-access")
        shaped = json.loads(text)
    return shaped


class Project:
    """A folder with clusters/NAME.yaml, and the cluster that pgha makes of it in one way or the other.

    `address` must lie beside every other pool of the lab: MetalLB refuses pools that overlap.
    """

    def __init__(self, folder: Path, database: Database, name: str, address: str) -> None:
        self.folder = folder
        self.name = name
        self.namespace = f"{name}-of-a-test"
        self.address = address
        self.stack = folder / "terraform" / "stacks" / name
        self.revision = 1
        self.way: Way | None = None
        self.snapshots: dict[Way, dict[str, Any]] = {}
        self.printed: list[str] = []
        self.secrets: set[str] = set()
        self.environment: dict[str, str] = {}
        self.database = database
        (folder / "clusters").mkdir()
        self.write()

    def write(self, revision: int = 1, more: str = "", delivery: str = "tofu") -> None:
        """The cluster file, with more top-level keys as text."""
        self.revision = revision
        text = _FILE.format(name=self.name, namespace=self.namespace, address=self.address, delivery=delivery)
        path = self.folder / "clusters" / f"{self.name}.yaml"
        path.write_text(f"{text}credentials: {{ revision: {revision} }}\n{more}")

    def run(self, *words: str, way: Way, folder: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """A command in the project's folder, with or without OpenTofu on PATH, with more in its environment."""
        path = path_with_tofu() if way == "tofu" else path_without_tofu(self.folder / ".path")
        kubeconfig = str(STATE / "kubeconfig")
        done = subprocess.run(
            words, cwd=folder or self.folder, text=True, check=False, timeout=600,
            env=clean_environment() | {"PATH": path, "KUBECONFIG": kubeconfig, "KUBE_CONFIG_PATH": kubeconfig}
            | self.environment | more,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.printed.append(f"$ {' '.join(words)}\n{done.stdout}")
        return done

    def pgha(self, *words: str, way: Way = "tofu", **more: str) -> subprocess.CompletedProcess[str]:
        """As somebody who looks for a fault runs it: OpenTofu's debug log would show every password."""
        log = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(self.folder / "trace.log")}
        return self.run(PGHA, *words, way=way, **log, **more)

    def start(self, *words: str, **more: str) -> "subprocess.Popen[str]":
        """The same with OpenTofu, in the background: its output is read from a pipe."""
        return self._start([PGHA, *words], self.folder, subprocess.DEVNULL, more)

    def start_tofu(self, *words: str) -> "subprocess.Popen[str]":
        """OpenTofu by hand, in the background; what it asks waits for an answer."""
        return self._start(["tofu", *words], self.stack, subprocess.PIPE, {})

    def _start(self, words: list[str], folder: Path, stdin: int, more: dict[str, str]) -> "subprocess.Popen[str]":
        kubeconfig = str(STATE / "kubeconfig")
        server = {"KUBECONFIG": kubeconfig, "KUBE_CONFIG_PATH": kubeconfig}
        return subprocess.Popen(
            words, cwd=folder, text=True,
            env=clean_environment() | {"PATH": path_with_tofu()} | server | self.environment | more,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def identities(self) -> dict[str, str]:
        """What must be the same after a hand-over: the uid of each object, and of pods and Secrets also the version.

        A pod whose version is the same was not even labelled.
        """
        found = {}
        for kind in ("pods", "secrets", "persistentvolumeclaims", "clusters.postgresql.cnpg.io", "networkpolicies"):
            words = ("get", kind, f"--namespace={self.namespace}", "--output=json")
            for one in json.loads(self.kubectl(*words))["items"]:
                meta = one["metadata"]
                version = f" {meta['resourceVersion']}" if kind == "secrets" else ""
                restarts = [str(each["restartCount"]) for each in one.get("status", {}).get("containerStatuses") or []]
                found[f"{kind}/{meta['name']}"] = f"{meta['uid']}{version} {' '.join(restarts)}".strip()
        return found

    def tofu(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("tofu", *words, way="tofu", folder=self.stack)

    def up(self, way: Way) -> str:
        done = self.pgha("up", self.name, way=way)
        assert done.returncode == 0, done.stdout
        assert f"✓ apply ({way})" in done.stdout
        self.way = way
        self.remember()
        return done.stdout

    def down(self) -> None:
        done = self.pgha("down", self.name, "--destroy", self.name, way=self.way or "server-side")
        assert done.returncode == 0, done.stdout
        assert self.snapshot() == {}
        assert self.kubectl("get", "namespace", self.namespace, "--ignore-not-found") == ""
        self.way = None

    def clear(self) -> None:
        """Nothing of it on the server, whatever an interrupted run may have left."""
        if self.kubectl("get", "namespace", self.namespace, "--ignore-not-found"):
            self.down()

    def running(self, way: Way) -> "Project":
        """The cluster, applied in this way; one that was applied in the other way is taken down first."""
        if self.way != way:
            if self.way is not None:
                self.down()
            self.write()
            self.up(way)
            self.snapshots.setdefault(way, self.snapshot())
        return self

    def kubectl(self, *words: str) -> str:
        return self.database.kubectl(*words)

    def cluster(self) -> dict[str, Any]:
        words = ("get", f"clusters.postgresql.cnpg.io/{self.name}", f"--namespace={self.namespace}", "--output=json")
        found: dict[str, Any] = json.loads(self.kubectl(*words))
        return found

    def heal(self) -> None:
        def healed() -> bool:
            self.write_a_row()
            return bool(self.cluster()["status"].get("readyInstances") == 2)

        eventually(healed, within=120, every=2)

    def write_a_row(self) -> None:
        """Its transaction is what an idle standby waits for (docs/explanation/failover.md)."""
        self.login(self.password())

    def password(self) -> str:
        words = (
            "get",
            f"secret/{self.name}-app",
            f"--namespace={self.namespace}",
            "--output=jsonpath={.data.password}",
        )
        return base64.b64decode(self.kubectl(*words)).decode()

    def login(self, password: str) -> dict[str, Any]:
        """One writing connection by a host on the LAN: the probe's answer."""
        request = {
            "host": self.address, "port": 5432, "dbname": "app", "user": "app", "password": password,
            "connect_timeout": 5, "sslmode": "require",
        }  # fmt: skip
        command = [str(ROOT / ".venv/bin/lab"), "run-on-lan", "--", sys.executable, "-m", "pgha.delivery.probe"]
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, check=True, timeout=60
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def snapshot(self) -> dict[str, Any]:
        """Every object of the namespace, the namespace, and what is ours in MetalLB's."""
        kinds = self.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
        wanted = ",".join(kind for kind in kinds if kind not in PASSING)
        mine = f"app.kubernetes.io/instance={self.name}"
        asked = [
            ("namespaces", f"--selector={mine}"),
            (wanted, f"--namespace={self.namespace}"),
            (POOLS, "--namespace=metallb-system", f"--selector={mine}"),
        ]
        found = [json.loads(self.kubectl("get", "--output=json", *words))["items"] for words in asked]
        return {
            f"{one['kind']} {one['metadata']['name']}": _shape(one)
            for items in found
            for one in items
            if "deletionTimestamp" not in one["metadata"]  # a pod of the proof that is just going
        }

    def remember(self) -> None:
        """Every Secret value of the namespace, but user names, which are no secret and stand in every file."""
        words = ("get", "secrets", f"--namespace={self.namespace}", "--output=json")
        for secret in json.loads(self.kubectl(*words))["items"]:
            for key, value in secret.get("data", {}).items():
                if key != "username":
                    self.secrets |= {value, base64.b64decode(value).decode()}


def tofu_program() -> Path | None:
    """On PATH, or built before by the lab; building it takes minutes, and for nothing where there is no provider."""
    on_path, built = shutil.which("tofu"), programs.program("opentofu", "tofu")
    return Path(on_path) if on_path else built if built.is_file() else None


def path_with_tofu() -> str:
    program = tofu_program()
    assert program is not None
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def path_without_tofu(folder: Path) -> str:
    """PATH as it is; a folder with tofu in it is replaced by one of links to its other programs."""
    parts = []
    for number, part in enumerate(os.environ["PATH"].split(os.pathsep)):
        if (Path(part) / "tofu").exists():
            links = folder / str(number)
            if not links.exists():
                links.mkdir(parents=True)
                for program in Path(part).iterdir():
                    if program.name != "tofu":
                        (links / program.name).symlink_to(program)
            parts.append(str(links))
        else:
            parts.append(part)
    return os.pathsep.join(parts)
