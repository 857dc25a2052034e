"""Applying with OpenTofu, where it is there and its providers can be installed."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pgha.config.problems import UserError

_INIT_SECONDS = 180
_LOGGING = "TF_LOG"
"""OpenTofu's debug log holds what the provider sends, and with it every new password: not from here."""
_PROGRESS = (
    "Creating",
    "Creation complete",
    "Modifying",
    "Modifications complete",
    "Destr",
    "Still",
    "Apply complete",
)


class Tofu:
    """OpenTofu in the folder of one stack, with the providers installed."""

    def __init__(self, program: str, folder: Path, kubeconfig: Path | None) -> None:
        self.folder = folder
        self._program = program
        self._kubeconfig = kubeconfig
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(_LOGGING)}
        self._env = quiet | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        if kubeconfig is not None:
            self._env["KUBE_CONFIG_PATH"] = str(kubeconfig.resolve())

    def has_state(self) -> bool:
        """Whether anything was applied from here."""
        done = self.run("state", "list")
        return done.returncode == 0 and bool(done.stdout.strip())

    def apply(self, say: Callable[[str], None]) -> list[str]:
        """Apply; returns OpenTofu's own lines about what is new or changed.

        Raises:
            UserError: It failed; what it did is in its state, and the next apply continues.
        """
        lines = self.stream(say, "apply", "-auto-approve", "-no-color")
        return [line for line in lines if "complete after" in line and not line.startswith("ephemeral.")]

    def destroy(self, say: Callable[[str], None]) -> None:
        """Destroy what the stack holds.

        Its `prevent_destroy` guards are lifted in a copy, never in the stack itself.
        """
        stack = json.loads((self.folder / "cdk.tf.json").read_text())
        with tempfile.TemporaryDirectory(prefix="pgha-destroy-") as name:
            folder = Path(name)
            (folder / "cdk.tf.json").write_text(json.dumps(_unguarded(stack)))
            if (lock := self.folder / ".terraform.lock.hcl").is_file():
                shutil.copy(lock, folder)  # the same providers, byte for byte
            backend = stack["terraform"]["backend"]
            arguments = []
            if "local" in backend:
                arguments = [f"-state={self.folder / backend['local']['path']}"]
            copy = self.elsewhere(folder)
            done = copy.run("init", "-no-color")
            if done.returncode != 0:
                raise UserError(f"tofu init failed: {_complaint(done.stderr)}", "mend that and run it again")
            copy.stream(say, "destroy", "-auto-approve", "-no-color", *arguments)

    def elsewhere(self, folder: Path) -> "Tofu":
        """The same program and Kubernetes in another folder."""
        return Tofu(self._program, folder, self._kubeconfig)

    def run(self, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end, silently."""
        command = [self._program, *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def stream(self, say: Callable[[str], None], *arguments: str) -> list[str]:
        """Run, show progress, collect.

        On Ctrl-C OpenTofu gets the signal too: it is given the time to write its state.
        """
        process = subprocess.Popen(
            [self._program, *arguments],
            cwd=self.folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if any(word in line for word in _PROGRESS):
                    say(line.strip())
        finally:
            process.wait()
        if process.returncode != 0:
            raise UserError(
                f"tofu {arguments[0]} failed: {_complaint(chr(10).join(lines))}", "mend that and run it again"
            )
        return lines


def find_program() -> str | None:
    """The program `tofu` on PATH."""
    return shutil.which("tofu")


def prepare(folder: Path, kubeconfig: Path | None) -> tuple[Tofu | None, str]:
    """OpenTofu ready in a stack's folder, or None with the reason why not, in a few words.

    Raises:
        UserError: The state cannot be reached. To apply in another way then would be to apply beside it.
    """
    program = find_program()
    if program is None:
        return None, "there is no program tofu on PATH"
    tofu = Tofu(program, folder, kubeconfig)
    try:
        done = tofu.run("init", "-no-color", timeout=_INIT_SECONDS)
        if done.returncode == 0:
            return tofu, ""
        providers = _without_backend(tofu)
    except subprocess.TimeoutExpired:
        return None, f"tofu init did not finish in {_INIT_SECONDS} s"
    if providers.returncode == 0:
        raise UserError(
            f"tofu init cannot use the backend of stack {folder.name}: {_complaint(done.stderr)}",
            f"mend the backend; where it is a new one, take the state along: cd {folder} && tofu init -migrate-state",
        )
    return None, f"tofu init cannot install the providers: {_complaint(providers.stderr)}"


def _without_backend(tofu: Tofu) -> subprocess.CompletedProcess[str]:
    """The same initialization in a copy that keeps its state nowhere: whether the providers are to be had."""
    stack = json.loads((tofu.folder / "cdk.tf.json").read_text())
    stack["terraform"].pop("backend", None)
    with tempfile.TemporaryDirectory(prefix="pgha-init-") as name:
        (Path(name) / "cdk.tf.json").write_text(json.dumps(stack))
        return tofu.elsewhere(Path(name)).run("init", "-no-color", timeout=_INIT_SECONDS)


def _unguarded(stack: dict[str, Any]) -> dict[str, Any]:
    for kind in stack["resource"].values():
        for resource in kind.values():
            resource.get("lifecycle", {}).pop("prevent_destroy", None)
            if not resource.get("lifecycle", True):
                del resource["lifecycle"]
    return stack


def _complaint(text: str) -> str:
    """The first error in OpenTofu's output, on one line: its title and its first sentence."""
    lines = [line.strip(" │╷╵") for line in text.splitlines()]
    for number, line in enumerate(lines):
        if line.startswith("Error: "):
            body = " ".join(part for part in lines[number + 1 : number + 8] if part)
            return (
                f"{line.removeprefix('Error: ')}: {body[:300].rstrip(' ,')}" if body else line.removeprefix("Error: ")
            )
    return next((line for line in reversed(lines) if line), "it wrote nothing")
