"""Two ways to apply: the same objects, no drift, no secret on disk, passwords that rotate, a `down` that asks.

A second, small cluster in a project folder of its own beside the lab's. What needs OpenTofu and its providers is
skipped where they are not to be had; what server-side apply promises is tried everywhere.
"""

import base64
import difflib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from running_lab import ROOT, Database, clean_environment, eventually

from lab import programs
from lab.home import STATE
from pgha.delivery.tofu import Tofu, _complaint

pytestmark = pytest.mark.lab

Way = Literal["tofu", "server-side"]

NAMESPACE = "two-ways"
ADDRESS = "192.168.10.120"  # beside the pool of `lab`: MetalLB refuses pools that overlap
INIT_SECONDS = 180
FILE = f"""
name: two
namespace: {NAMESPACE}
engine: cloudnative-pg
delivery: tofu
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
    address: {ADDRESS}
    pool: {{ addresses: [192.168.10.120-192.168.10.121] }}
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
    """A folder with clusters/two.yaml, and the cluster that pgha makes of it in one way or the other."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.stack = folder / "terraform" / "stacks" / "two"
        self.way: Way | None = None
        self.snapshots: dict[Way, dict[str, Any]] = {}
        self.printed: list[str] = []
        self.secrets: set[str] = set()
        self._database = database
        (folder / "clusters").mkdir()
        self.write()

    def write(self, revision: int = 1) -> None:
        (self.folder / "clusters" / "two.yaml").write_text(f"{FILE}credentials: {{ revision: {revision} }}\n")

    def run(self, *words: str, way: Way, folder: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """A command in the project's folder, with or without OpenTofu on PATH, with more in its environment."""
        path = _path_with_tofu() if way == "tofu" else _path_without_tofu(self.folder / ".path")
        kubeconfig = str(STATE / "kubeconfig")
        done = subprocess.run(
            words, cwd=folder or self.folder, text=True, check=False, timeout=600,
            env=clean_environment() | {"PATH": path, "KUBECONFIG": kubeconfig, "KUBE_CONFIG_PATH": kubeconfig} | more,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.printed.append(f"$ {' '.join(words)}\n{done.stdout}")
        return done

    def pgha(self, *words: str, way: Way) -> subprocess.CompletedProcess[str]:
        """As somebody who looks for a fault runs it: OpenTofu's debug log would show every password."""
        log = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(self.folder / "trace.log")}
        return self.run(str(Path(sys.executable).with_name("pgha")), *words, way=way, **log)

    def tofu(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("tofu", *words, way="tofu", folder=self.stack)

    def up(self, way: Way) -> str:
        done = self.pgha("up", "two", way=way)
        assert done.returncode == 0, done.stdout
        assert f"✓ apply ({way})" in done.stdout
        self.way = way
        self._remember()
        return done.stdout

    def down(self) -> None:
        done = self.pgha("down", "two", "--destroy", "two", way=self.way or "server-side")
        assert done.returncode == 0, done.stdout
        assert self.snapshot() == {}
        assert self.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found") == ""
        self.way = None

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
        return self._database.kubectl(*words)

    def cluster(self) -> dict[str, Any]:
        words = ("get", "clusters.postgresql.cnpg.io/two", f"--namespace={NAMESPACE}", "--output=json")
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
        words = ("get", "secret/two-app", f"--namespace={NAMESPACE}", "--output=jsonpath={.data.password}")
        return base64.b64decode(self.kubectl(*words)).decode()

    def login(self, password: str) -> dict[str, Any]:
        """One writing connection by a host on the LAN: the probe's answer."""
        request = {
            "host": ADDRESS, "port": 5432, "dbname": "app", "user": "app", "password": password, "connect_timeout": 5,
            "sslmode": "require",
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
        mine = "app.kubernetes.io/instance=two"
        asked = [
            ("namespaces", f"--selector={mine}"),
            (wanted, f"--namespace={NAMESPACE}"),
            (POOLS, "--namespace=metallb-system", f"--selector={mine}"),
        ]
        found = [json.loads(self.kubectl("get", "--output=json", *words))["items"] for words in asked]
        return {
            f"{one['kind']} {one['metadata']['name']}": _shape(one)
            for items in found
            for one in items
            if "deletionTimestamp" not in one["metadata"]  # a pod of the proof that is just going
        }

    def _remember(self) -> None:
        """Every Secret value of the namespace, but user names, which are no secret and stand in every file."""
        words = ("get", "secrets", f"--namespace={NAMESPACE}", "--output=json")
        for secret in json.loads(self.kubectl(*words))["items"]:
            for key, value in secret.get("data", {}).items():
                if key != "username":
                    self.secrets |= {value, base64.b64decode(value).decode()}


def _tofu_program() -> Path | None:
    """On PATH, or built before by the lab; building it takes minutes, and for nothing where there is no provider."""
    on_path, built = shutil.which("tofu"), programs.program("opentofu", "tofu")
    return Path(on_path) if on_path else built if built.is_file() else None


def _path_with_tofu() -> str:
    program = _tofu_program()
    assert program is not None
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def _path_without_tofu(folder: Path) -> str:
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


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OpenTofu and the providers that a cluster's stack requires; skips, before anything is started, without them."""
    program = _tofu_program()
    if program is None:
        pytest.skip(
            "NOT RUN: there is no tofu on PATH and none in the lab's cache "
            "(build it: .venv/bin/python -c \"from lab import programs as p; p.build(p.tool('opentofu'))\")"
        )
    folder = tmp_path_factory.mktemp("providers")
    shutil.copy(ROOT / "terraform" / "stacks" / "lab" / "cdk.tf.json", folder)
    try:
        done = Tofu(str(program), folder, None).run("init", "-no-color", timeout=INIT_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"NOT RUN: tofu init did not finish in {INIT_SECONDS} s")
    if done.returncode != 0:
        pytest.skip(f"NOT RUN: tofu init cannot install the providers: {_complaint(done.stderr)}")


@pytest.fixture(scope="module")
def project(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("two-ways"), database)
    made.down()  # what an interrupted run may have left
    yield made
    made.down()


@pytest.fixture
def by_tofu(providers: None, project: Project) -> Project:
    return project.running("tofu")


@pytest.fixture
def server_side(project: Project) -> Project:
    return project.running("server-side")


def _plan(project: Project) -> tuple[int, str]:
    """`tofu plan -detailed-exitcode`: 0 nothing to do, 2 something."""
    done = project.tofu("plan", "-detailed-exitcode", "-no-color")
    return done.returncode, done.stdout


@pytest.mark.providers
def test_the_second_plan_is_empty(by_tofu: Project) -> None:
    code, text = _plan(by_tofu)
    assert code == 0, text
    live = by_tofu.cluster()["spec"]
    assert live["postgresql"]["parameters"], "the operator's defaults must be there, or this proves nothing"


@pytest.mark.providers
def test_what_was_changed_by_hand_is_seen_and_taken_back(by_tofu: Project) -> None:
    """Field by field, as another field manager: kubectl's."""
    cluster = ("clusters.postgresql.cnpg.io/two", f"--namespace={NAMESPACE}")
    pool = ("ipaddresspools.metallb.io/two", "--namespace=metallb-system")
    wider = {"spec": {"addresses": ["192.168.10.120-192.168.10.122"]}}
    by_tofu.kubectl("patch", *cluster, "--type=merge", "--patch", '{"spec": {"smartShutdownTimeout": 7}}')
    by_tofu.kubectl("patch", *pool, "--type=merge", "--patch", json.dumps(wider))
    code, text = _plan(by_tofu)
    assert code == 2, text
    assert "smartShutdownTimeout" in text
    assert "192.168.10.120-192.168.10.122" in text
    printed = by_tofu.up("tofu")
    assert "nothing changed" not in printed
    assert by_tofu.cluster()["spec"]["smartShutdownTimeout"] == 5
    assert "192.168.10.122" not in by_tofu.kubectl("get", *pool, "--output=yaml")
    assert _plan(by_tofu)[0] == 0


@pytest.mark.providers
def test_a_failover_is_no_drift(by_tofu: Project) -> None:
    before = by_tofu.cluster()["status"]["currentPrimary"]
    by_tofu.kubectl("delete", "pod", before, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
    eventually(lambda: by_tofu.cluster()["status"]["currentPrimary"] != before, within=60)
    code, text = _plan(by_tofu)
    assert code == 0, text
    by_tofu.heal()
    code, text = _plan(by_tofu)
    assert code == 0, text


@pytest.mark.providers
def test_tofu_itself_refuses_to_destroy(by_tofu: Project) -> None:
    before = by_tofu.snapshot()
    refused = by_tofu.tofu("destroy", "-auto-approve", "-no-color")
    assert refused.returncode == 1, refused.stdout
    assert "prevent_destroy" in refused.stdout
    assert by_tofu.snapshot() == before


def _rotated(project: Project, way: Way) -> None:
    old = project.password()
    assert project.login(old)["ok"]
    project.write(revision=2)
    project.up(way)
    new = project.password()
    assert new != old
    assert project.login(new)["ok"]
    refused = project.login(old)
    assert not refused["ok"]
    assert "password authentication failed" in refused["error"]
    project.up(way)
    assert project.password() == new, "the same revision must keep the password"


@pytest.mark.providers
def test_a_raised_revision_rotates_the_password_by_tofu(by_tofu: Project) -> None:
    _rotated(by_tofu, "tofu")
    assert _plan(by_tofu)[0] == 0


def _contents(project: Project) -> dict[str, bytes]:
    """Every file below the project folder, the members of plans (which are archives), and all that was printed."""
    found = {"what was printed": "\n".join(project.printed).encode()}
    for top, _, names in os.walk(project.folder):
        for path in (Path(top) / name for name in names):
            if path.is_symlink():
                continue
            found[str(path.relative_to(project.folder))] = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    found |= {f"{path.name}: {name}": archive.read(name) for name in archive.namelist()}
    return found


def _finds(content: bytes, value: str) -> bool:
    """Plain, in base64, or as a JSON string's inside."""
    forms = {value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]}
    return any(form.encode() in content for form in forms)


@pytest.mark.providers
def test_no_secret_is_in_state_plan_or_output(by_tofu: Project) -> None:
    stack = by_tofu.stack / "cdk.tf.json"
    text = stack.read_text()
    raised = json.loads(text)
    raised["resource"]["kubernetes_secret_v1"]["secret_two_app"]["data_wo_revision"] = 9
    stack.write_text(json.dumps(raised))  # a plan that would write a new password
    try:
        planned = by_tofu.tofu("plan", "-detailed-exitcode", "-no-color", "-out=two.tfplan")
    finally:
        stack.write_text(text)
    assert planned.returncode == 2, planned.stdout
    for name, words in {"plan.json": ("two.tfplan",), "state.json": ()}.items():
        shown = by_tofu.tofu("show", "-json", *words)
        assert shown.returncode == 0, shown.stdout
        (by_tofu.stack / name).write_text(shown.stdout)

    contents = _contents(by_tofu)
    telling = {"two.tfstate", "plan.json", "state.json", "cdk.tf.json", "two.yaml"}
    seen = {Path(name).name for name, content in contents.items() if _finds(content, NAMESPACE)}
    assert telling | {"what was printed", "two.tfplan: tfplan", "two.tfplan: tfstate"} <= seen, "the search is blind"
    assert len(by_tofu.secrets) >= 2 * 7, "two-app, two-ca, two-server, two-replication, each plain and in base64"
    found = [
        (name, value[:3]) for name, content in contents.items() for value in by_tofu.secrets if _finds(content, value)
    ]
    assert found == [], "a Secret's value (its first letters) stands in these"


@pytest.mark.providers
def test_both_ways_end_in_the_same_objects(by_tofu: Project) -> None:
    by_tofu.running("server-side")
    texts = [
        json.dumps(by_tofu.snapshots[way], indent=1, sort_keys=True).splitlines() for way in ("tofu", "server-side")
    ]
    by_way = by_tofu.snapshots["tofu"]
    assert by_way["Cluster two"]["spec"]["instances"] == 2
    assert by_way["Secret two-app"]["data"] == ["password", "username"]
    assert {"Pod two-2", "Service two-external", "IPAddressPool two", "L2Advertisement two"} <= set(by_way)
    difference = list(difflib.unified_diff(*texts, "by tofu", "server-side", n=4, lineterm=""))
    assert not difference, "\n".join(difference)


def test_down_without_the_right_name_touches_nothing(server_side: Project) -> None:
    before, uid = server_side.snapshot(), server_side.cluster()["metadata"]["uid"]
    for words, told in {
        (): "--destroy two",
        ("--destroy", "lab"): "the cluster's name is two, not lab",
        ("--destroy", ""): "the cluster's name is two",
    }.items():
        refused = server_side.pgha("down", "two", *words, way="server-side")
        assert refused.returncode == 2, refused.stdout
        assert told in refused.stdout
    assert server_side.snapshot() == before
    assert server_side.cluster()["metadata"]["uid"] == uid
    assert server_side.login(server_side.password())["ok"]


def test_a_raised_revision_rotates_the_password_server_side(server_side: Project) -> None:
    _rotated(server_side, "server-side")
    printed = "\n".join(server_side.printed)
    assert [value[:3] for value in server_side.secrets if value in printed] == []
