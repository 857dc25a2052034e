"""Where a stack's state can be kept: moved there, locked, encrypted and decrypted again, by the real OpenTofu.

The stack is what pgha synthesizes, its resources put aside for one that needs no provider: so it needs neither lab nor
registry. Kubernetes as the place is test_tofu_backends.py.
"""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from running_lab import clean_environment, eventually
from tofu_project import PGHA, tofu_program

from lab import programs
from lab.steps import LabError
from pgha.config.problems import UserError
from pgha.delivery.tofu import Tofu, prepare

CLUSTER = """
name: kept
instances: 2
storage: {{ size: 10Gi }}
network: {{ networks: [10.0.0.0/8], podCidr: 10.244.0.0/16, serviceCidr: 10.96.0.0/16 }}
silence: [PGHA-W607]
backend: {{ {backend} }}
"""
SEALED = ", encryption: passphrase"


class Local:
    """Beside the stack, as without a word about it."""

    words = "type: local"
    environment: ClassVar[dict[str, str]] = {}

    def __init__(self, folder: Path) -> None:
        self.path = folder / "project" / "terraform" / "stacks" / "kept" / "kept.tfstate"

    def text(self) -> str:
        return self.path.read_text()

    def clear(self) -> None:
        self.path.unlink()

    def close(self) -> None:
        pass


class Http(http.server.ThreadingHTTPServer):
    """A server that keeps one state and one lock, as OpenTofu's http backend asks for it."""

    environment: ClassVar[dict[str, str]] = {}
    state, lock = b"", b""

    def __init__(self, _folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        url = f"http://127.0.0.1:{self.server_port}/kept"
        self.words = f"type: http, config: {{ address: '{url}', lock_address: '{url}', unlock_address: '{url}' }}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def text(self) -> str:
        return self.state.decode()

    def clear(self) -> None:
        self.state = b""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Http

    def do_GET(self) -> None:
        self._say(200 if self.server.state else 404, self.server.state)

    def do_POST(self) -> None:
        self.server.state = self._body()
        self._say(200)

    def do_LOCK(self) -> None:
        asked = self._body()
        if self.server.lock:
            return self._say(423, self.server.lock)
        self.server.lock = asked
        return self._say(200)

    def do_UNLOCK(self) -> None:
        self._body()
        self.server.lock = b""
        self._say(200)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _say(self, code: int, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        pass


class S3:
    """The lab's S3 server, on loopback."""

    words = (
        "type: s3, config: { bucket: states, key: kept.tfstate, region: us-east-1, use_lockfile: true, "
        "use_path_style: true, skip_credentials_validation: true, skip_region_validation: true, "
        "skip_requesting_account_id: true }"
    )

    def __init__(self, folder: Path) -> None:
        try:
            program = programs.program("versitygw", "versitygw")
        except LabError as error:
            pytest.skip(f"NOT RUN: {error}")
        if not program.is_file():
            pytest.skip("NOT RUN: versitygw is not built (.venv/bin/lab build --with object-storage)")
        self.bucket = folder / "s3" / "states"
        self.bucket.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        account = {"ROOT_ACCESS_KEY": "tests", "ROOT_SECRET_KEY": "tests-of-states"}
        self.process = subprocess.Popen(
            [program, "--port", f"127.0.0.1:{self.port}", "posix", self.bucket.parent],
            env=account, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.environment = {
            "AWS_ACCESS_KEY_ID": account["ROOT_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": account["ROOT_SECRET_KEY"],
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
        }
        eventually(self._answers, within=20)

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def text(self) -> str:
        return (self.bucket / "kept.tfstate").read_text()

    def clear(self) -> None:
        (self.bucket / "kept.tfstate").unlink()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


Place = Local | Http | S3


class Stack:
    """A project with one cluster file, and the stack's folder."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.folder = self.project / "terraform" / "stacks" / "kept"
        (self.project / "clusters").mkdir(parents=True)
        self.synthesized: dict[str, dict[str, Any]] = {}

    def write(self, backend: str, proof: str, command: str = "true") -> None:
        """Synthesize for this backend, and put one resource in place of all others."""
        if backend not in self.synthesized:
            self.synthesized[backend] = self.synthesize(backend)
        whole = self.synthesized[backend]
        kept = {key: whole[key] for key in ("terraform", "variable") if key in whole}
        kept["terraform"] = {key: value for key, value in whole["terraform"].items() if key != "required_providers"}
        resource = {"input": proof, "provisioner": [{"local-exec": {"command": command}}]}
        kept["resource"] = {"terraform_data": {"proof": resource | {"triggers_replace": proof}}}
        (self.folder / "cdk.tf.json").write_text(json.dumps(kept))

    def synthesize(self, backend: str) -> dict[str, Any]:
        (self.project / "clusters" / "kept.yaml").write_text(CLUSTER.format(backend=backend))
        done = subprocess.run(
            [PGHA, "synth"], cwd=self.project, env=clean_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads((self.folder / "cdk.tf.json").read_text())
        return found

    def ready(self) -> Tofu:
        tofu, reason = prepare(self.folder, None)
        assert tofu is not None, reason
        return tofu

    def apply(self) -> list[str]:
        tofu, plan = self.ready(), self.folder / "kept.tfplan"
        tofu.plan(print, plan)
        return tofu.apply(print, plan, {})

    def tofu(self, *words: str) -> str:
        """By hand, as the docs and the messages say it."""
        done = subprocess.run(["tofu", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def killed(self) -> None:
        """An apply that dies while it holds the lock."""
        process = subprocess.Popen(
            ["tofu", "apply", "-auto-approve", "-no-color"], cwd=self.folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "Provisioning with" in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    program = tofu_program()
    if program is None:
        pytest.skip("NOT RUN: there is no tofu on PATH and none in the lab's cache")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "tofu.rc").touch()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "tofu.rc"))  # none of this machine's
    made: Place = request.param(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()


@pytest.fixture
def stack(place: Place, tmp_path: Path) -> Stack:
    return Stack(tmp_path)


@pytest.mark.parametrize("place", [Http, S3], ids=["http", "s3"], indirect=True)
def test_a_state_moves_there_and_is_locked_there(place: Place, stack: Stack) -> None:
    stack.write("type: local", "one")
    assert stack.apply() != []
    stack.write(place.words, "one")
    with pytest.raises(UserError, match=r"cannot use the backend of stack kept: .*tofu init -migrate-state"):
        stack.ready()
    stack.tofu("init", "-migrate-state", "-force-copy")
    assert stack.ready().state().addresses() == {"terraform_data.proof"}
    assert "terraform_data" in place.text()
    assert stack.apply() == [], "what was there is known there"

    stack.write(place.words, "two", "sleep 60")
    stack.ready()
    stack.killed()
    stack.write(place.words, "two")
    with pytest.raises(UserError, match="another OpenTofu works on the state of stack kept") as refused:
        stack.apply()
    found = re.search(r"cd (\S+) && tofu (force-unlock) (\S+)", str(refused.value))
    assert found is not None, refused.value
    assert found.group(1) == str(stack.folder)
    stack.tofu(found.group(2), "-force", found.group(3))
    assert stack.apply() != []
    assert '"two"' in place.text()


@pytest.mark.parametrize("place", [Local, Http, S3], ids=["local", "http", "s3"], indirect=True)
def test_encryption_goes_on_and_off(place: Place, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_VAR_state_passphrase", raising=False)
    stack.write(place.words, "told-openly")
    stack.apply()
    assert "told-openly" in place.text()

    stack.write(place.words + SEALED, "told-in-secret")
    with pytest.raises(UserError, match="encrypted, and there is no passphrase; export TF_VAR_state_passphrase"):
        stack.ready()
    monkeypatch.setenv("TF_VAR_state_passphrase", "sixteen letters and more")
    assert stack.apply() != []
    assert "encrypted_data" in place.text()
    assert "told" not in place.text()
    assert stack.apply() == []
    monkeypatch.setenv("TF_VAR_state_passphrase", "another one, and as long")
    with pytest.raises(UserError, match="decrypt"):
        stack.apply()

    # docs/how-to/apply-with-opentofu.md
    monkeypatch.setenv("TF_VAR_state_passphrase", "sixteen letters and more")
    (stack.folder / "plain.tfstate").write_text(stack.tofu("state", "pull"))
    monkeypatch.delenv("TF_VAR_state_passphrase")
    stack.write(place.words, "told-in-secret")
    place.clear()
    stack.tofu("init")
    stack.tofu("state", "push", "plain.tfstate")
    assert "told-in-secret" in place.text()
    assert stack.apply() == []
