"""What goes wrong during an apply ends in a clear message, and the next apply succeeds. Each is done for real.

The lab's API server is the others' too: it is reached through a relay of the test's own, which can be cut.
"""

import contextlib
import json
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from running_lab import Database, eventually
from tofu_project import Project

from lab.home import STATE
from lab.steps import LabError

pytestmark = [pytest.mark.lab, pytest.mark.providers]

HELD = "test.example.com/held"
SERVER = re.compile(r"server: [\"']?(https://[^\s\"',]+)")


class Relay:
    """A TCP relay beside the API server, on its own address so that its certificate holds. `cut` ends it for good."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 443)
        self._listener = socket.create_server((self._target[0], 0))
        self._sockets: list[socket.socket] = []
        self.url = f"https://{self._target[0]}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def project(providers: None, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("failures"), database, "failing", "192.168.10.124")
    made.clear()
    yield made
    made.write()
    made.clear()


@pytest.fixture
def nothing(project: Project) -> Project:
    """The cluster's file, and nothing of it on the server."""
    project.write()
    project.clear()
    return project


@pytest.fixture
def running(project: Project) -> Project:
    """The cluster, whole."""
    project.write()
    project.up("tofu")
    return project


def until(process: "subprocess.Popen[str]", word: str, *, within: float) -> str:
    """What a running command prints up to a word."""
    assert process.stdout is not None
    printed, deadline = "", time.monotonic() + within
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not ready.select(timeout=1):
                continue
            line = process.stdout.readline()
            printed += line
            if word in line:
                return printed
            if not line:
                break
    process.kill()
    pytest.fail(f"it did not say {word!r} within {within} s:\n{printed}")


def ended(process: "subprocess.Popen[str]", *, within: float) -> str:
    """The rest of what it prints, once it has ended."""
    try:
        return process.communicate(timeout=within)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it did not end within {within} s:\n{process.communicate()[0]}")


def state_of(project: Project) -> str:
    done = project.tofu("state", "list")
    return done.stdout


def test_an_api_server_that_goes_away_in_the_middle(nothing: Project, tmp_path: Path) -> None:
    original = (STATE / "kubeconfig").read_text()
    found = SERVER.search(original)
    assert found is not None
    relay = Relay(found.group(1))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(original.replace(found.group(1), relay.url))
    process = nothing.start("up", nothing.name, KUBECONFIG=str(kubeconfig))
    until(process, "creating Cluster", within=300)
    eventually(lambda: nothing.cluster()["metadata"]["uid"], within=30)
    relay.cut()
    printed = ended(process, within=120)
    assert process.returncode == 2, printed
    assert "the API server went away during tofu apply" in printed
    assert "the next run goes on from there" in printed
    before = nothing.cluster()["metadata"]["uid"]
    password = nothing.password()
    assert "Cluster" in nothing.up("tofu")
    assert nothing.cluster()["metadata"]["uid"] == before, "what was made is taken over, not made anew"
    assert nothing.password() == password
    assert nothing.pgha("plan", nothing.name, "--check").returncode == 0


def test_ctrl_c_lets_opentofu_write_its_state_and_a_second_apply_waits_for_nobody(nothing: Project) -> None:
    process = nothing.start("up", nothing.name)
    until(process, "creating Cluster", within=300)
    second = nothing.pgha("up", nothing.name)
    assert second.returncode == 2, second.stdout
    assert f"another OpenTofu works on the state of stack {nothing.name}" in second.stdout
    assert "wait until it is done" in second.stdout
    process.send_signal(signal.SIGINT)
    printed = ended(process, within=300)
    assert process.returncode == 130, printed
    assert "OpenTofu ends what it has begun and writes its state" in printed
    assert "interrupted; run the same command again to continue" in printed
    assert f"kubernetes_manifest.cluster_{nothing.name}" in state_of(nothing)
    before = nothing.cluster()["metadata"]["uid"]
    nothing.up("tofu")
    assert nothing.cluster()["metadata"]["uid"] == before


def test_a_second_ctrl_c_ends_it_at_once_and_the_next_run_takes_over_what_there_is(nothing: Project) -> None:
    process = nothing.start("up", nothing.name)
    until(process, "creating Cluster", within=300)
    before = eventually(lambda: nothing.cluster()["metadata"]["uid"], within=30)
    process.send_signal(signal.SIGINT)
    until(process, "OpenTofu ends what it has begun", within=10)
    process.send_signal(signal.SIGINT)
    printed = ended(process, within=30)
    assert process.returncode == 130, printed
    nothing.up("tofu")
    assert nothing.cluster()["metadata"]["uid"] == before
    assert nothing.pgha("plan", nothing.name, "--check").returncode == 0


def _policy(namespace: str) -> list[dict[str, Any]]:
    """Nobody makes a Cluster in this namespace."""
    name = {"name": f"no-clusters-in-{namespace}"}
    version = "admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": ["postgresql.cnpg.io"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["clusters"],
    }  # fmt: skip
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "here", "expression": f"request.namespace == '{namespace}'"}],
        "validations": [{"expression": "false", "message": "no new databases on a Saturday"}],
    }
    return [
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": name, "spec": spec},
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": name,
         "spec": {"policyName": name["name"], "validationActions": ["Deny"]}},
    ]  # fmt: skip


def test_a_policy_that_refuses_the_cluster(nothing: Project) -> None:
    policy = json.dumps({"apiVersion": "v1", "kind": "List", "items": _policy(nothing.namespace)})
    kubectl = nothing.database.kubectl
    kubectl("apply", "--filename=-", stdin=policy)
    try:
        time.sleep(3)  # the API server reads new policies every second
        refused = nothing.pgha("up", nothing.name)
        assert refused.returncode == 2, refused.stdout
        assert "no new databases on a Saturday" in refused.stdout
        assert "Traceback" not in refused.stdout
        password = nothing.password()
        # With a namespace to try it in, the server is asked before anything is written.
        before = nothing.snapshot()
        again = nothing.pgha("up", nothing.name)
        assert again.returncode == 2, again.stdout
        assert "the API server refuses Cluster" in again.stdout
        assert nothing.snapshot() == before
    finally:
        kubectl("delete", "--filename=-", stdin=policy)
    nothing.up("tofu")
    assert nothing.password() == password


def test_a_finalizer_that_holds_what_should_go(running: Project) -> None:
    policy = ("networkpolicies", running.name, f"--namespace={running.namespace}")
    held = json.dumps({"metadata": {"finalizers": [HELD]}})
    running.kubectl("patch", *policy, "--type=merge", "--patch", held)
    path = running.folder / "clusters" / f"{running.name}.yaml"
    path.write_text(path.read_text().replace("network:\n", "network:\n  networkPolicy: false\n"))
    try:
        assert running.pgha("plan", running.name).returncode == 0
        refused = running.pgha("apply", running.name)
        assert refused.returncode == 2, refused.stdout
        assert (
            f"NetworkPolicy {running.namespace}/{running.name} is being deleted and is held by {HELD}" in refused.stdout
        )
    finally:
        running.kubectl("patch", *policy, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    assert running.pgha("plan", running.name).returncode == 0
    applied = running.pgha("apply", running.name)
    assert applied.returncode == 0, applied.stdout
    assert running.pgha("plan", running.name, "--check").returncode == 0


def test_a_finalizer_that_holds_a_cluster_that_should_go(running: Project) -> None:
    pool = ("ipaddresspools.metallb.io", running.name, "--namespace=metallb-system")
    running.kubectl("patch", *pool, "--type=merge", "--patch", json.dumps({"metadata": {"finalizers": [HELD]}}))
    try:
        refused = running.pgha("down", running.name, "--destroy", running.name, "--timeout", "30")
        assert refused.returncode == 2, refused.stdout
        assert f"IPAddressPool metallb-system/{running.name} is not gone yet; it is held by {HELD}" in refused.stdout
        assert "run the same command again; it continues" in refused.stdout
    finally:
        with contextlib.suppress(LabError):  # gone, where it was let go by somebody else
            running.kubectl("patch", *pool, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    running.down()
    assert "kubernetes_" not in state_of(running)


def test_a_lock_file_that_a_dead_apply_left_is_no_lock(running: Project) -> None:
    """The lock of a local state is the kernel's; it ends with its process."""
    left = {"ID": "0", "Operation": "OperationTypeApply", "Who": "nobody@nowhere", "Created": "2026-01-01T00:00:00Z"}
    (running.stack / f".{running.name}.tfstate.lock.info").write_text(json.dumps(left))
    running.up("tofu")


def test_a_state_that_cannot_be_read_stops_everything(running: Project) -> None:
    """It must not look like no state: to apply without it would be to apply beside it."""
    state = running.stack / f"{running.name}.tfstate"
    text, before = state.read_text(), running.snapshot()
    state.write_text(text[: len(text) // 2])
    try:
        for words in (("plan",), ("up",), ("down", "--destroy", running.name)):
            refused = running.pgha(words[0], running.name, *words[1:])
            assert refused.returncode == 2, refused.stdout
            assert f"tofu init cannot use the backend of stack {running.name}" in refused.stdout
            assert "state file could not be parsed" in refused.stdout
    finally:
        state.write_text(text)
    assert running.snapshot() == before
    running.up("tofu")
