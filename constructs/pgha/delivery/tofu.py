"""The program `tofu` in the folder of one stack: its state, its plans, its progress, and the end of each.

It runs in a process group of its own. Ctrl-C reaches us alone and we hand it on, so that OpenTofu ends what it has
begun and writes its state; a second Ctrl-C ends it at once.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pgha.config.problems import UserError
from pgha.delivery.diagnostics import Diagnostic, complaint
from pgha.delivery.stack import Stack
from pgha.delivery.state import State

Say = Callable[[str], None]

_INIT_SECONDS = 180
_LOGGING = "TF_LOG"
"""OpenTofu's debug log holds what the provider sends, and with it every new password: not from here."""
_CHANGES = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RESCUED = "errored.tfstate"
"""Where OpenTofu leaves a state that it could not write to its backend."""
_BESIDE = "pgha_*.tf.json"
"""What stands beside a stack for one plan. Left by a command that was killed, it would be part of every later one."""


class Tofu:
    """OpenTofu in a stack's folder.

    Every method raises UserError with OpenTofu's own first error and what to do about it.
    """

    def __init__(self, program: str, folder: Path, kubeconfig: Path | None) -> None:
        self.folder = folder
        self._program = program
        self._kubeconfig = kubeconfig
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(_LOGGING)}
        self._env = quiet | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        if kubeconfig is not None:
            self._env["KUBE_CONFIG_PATH"] = str(kubeconfig.resolve())

    @property
    def stack(self) -> Stack:
        """What the stack's file says now."""
        return Stack.read(self.folder)

    def state(self) -> State:
        """What OpenTofu knows to be there; empty before the first apply. A state that cannot be read is an error."""
        return State.parse(self._done("state", "pull").stdout)

    def push(self, state: State) -> None:
        """Replace the state by a newer version of it."""
        self._done("state", "push", "-", stdin=state.text())

    def untaint(self, address: str) -> None:
        """Take off the mark by which the next plan would replace a resource."""
        self._done("untaint", address)

    def rescue(self) -> bool:
        """Hand over the state that an interrupted apply could not write to its backend; False where there is none."""
        left = self.folder / _RESCUED
        if not left.is_file():
            return False
        self._done("state", "push", _RESCUED)
        left.unlink()
        return True

    def check_lock(self) -> None:
        """Whether the state could be written to now; raises where another OpenTofu works on it."""
        done = self.run("plan", "-destroy", "-refresh=false", "-json")
        wrong = [Diagnostic.from_event(event) for event in _events(done.stdout.splitlines()) if "diagnostic" in event]
        if locked := [one for one in wrong if one.is_lock]:
            raise complaint("plan", locked, self.folder)

    def plan(
        self, say: Say, out: Path, *, extra: Mapping[str, Mapping[str, Any]] | None = None, destroy: bool = False
    ) -> None:
        """Plan into a file.

        Args:
            say: Hears what is being read.
            out: Where the plan is saved; it holds no secret.
            extra: File name (`pgha_*.tf.json`) → JSON of what stands beside the stack for this plan alone.
            destroy: Plan the end of everything that the state holds.
        """
        for path in self.folder.glob(_BESIDE):
            path.unlink(missing_ok=True)
        files = [self.folder / name for name in extra or {}]
        try:
            for path, content in zip(files, (extra or {}).values(), strict=True):
                path.write_text(json.dumps(content))
            self._stream(say, "plan", f"-out={out}", *(["-destroy"] if destroy else []))
        finally:
            for path in files:
                path.unlink(missing_ok=True)

    def show(self, plan: Path) -> dict[str, Any]:
        """A saved plan as JSON."""
        return _json(self._done("show", "-json", str(plan)).stdout)

    def apply(self, say: Say, plan: Path, titles: Mapping[str, str]) -> list[str]:
        """Apply exactly a saved plan; returns a line for each resource that is new, changed or gone.

        `titles` are names for people by address.
        """
        return self._stream(say, "apply", str(plan), titles=titles)

    def elsewhere(self, folder: Path) -> "Tofu":
        """The same program and Kubernetes in another folder."""
        return Tofu(self._program, folder, self._kubeconfig)

    def run(
        self, *arguments: str, timeout: float | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end, silently."""
        return subprocess.run(
            [self._program, *arguments],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            input=stdin,
        )

    def _done(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            words = " ".join(word for word in arguments if not word.startswith("-"))
            raise complaint(words, [Diagnostic.from_text(done.stderr or done.stdout)], self.folder)
        return done

    def _stream(self, say: Say, command: str, *arguments: str, titles: Mapping[str, str] | None = None) -> list[str]:
        """Run with machine-readable progress: say it, and collect what was done and what went wrong."""
        done: list[str] = []
        wrong: list[Diagnostic] = []
        names = self.stack.titles() | dict(titles or {})
        with (
            subprocess.Popen(
                [self._program, command, "-json", *arguments],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process,
            _interrupts(process, say) as interrupted,
        ):
            for event in _events(process.stdout or ()):
                if event.get("type") == "diagnostic":
                    wrong.append(Diagnostic.from_event(event))
                elif (text := _progress(event, names)) is not None:
                    say(text)
                    if event["type"] == "apply_complete":
                        done.append(text)
            process.wait()
        if interrupted:
            raise KeyboardInterrupt
        if process.returncode not in {0, _CHANGES}:
            raise complaint(command, [one for one in wrong if one.is_error], self.folder)
        return done


@contextmanager
def _interrupts(process: "subprocess.Popen[str]", say: Say) -> Iterator[list[int]]:
    """Hand each interrupt of ours on to OpenTofu, and go on reading what it says; yields those that came."""
    came: list[int] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            say("OpenTofu ends what it has begun and writes its state; Ctrl-C again ends it at once")

    before = {number: signal.signal(number, hand_on) for number in _SIGNALS}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:  # we fail ourselves: it must not go on alone
            process.send_signal(signal.SIGINT)
            process.wait()


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The lines of `-json`; a line of plain text, which OpenTofu prints where it fails before that, as a diagnostic."""
    plain: list[str] = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            plain.append(line)
            continue
        if isinstance(event, dict):
            yield event
    if any("Error: " in line for line in plain):
        yield Diagnostic.from_text("\n".join(plain)).event()


def _progress(event: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """A line about one resource; None for what nobody waits for."""
    hook = event.get("hook") or {}
    address = (hook.get("resource") or {}).get("addr", "")
    if not address or address.startswith("ephemeral."):
        return None
    name, action = names.get(address, address), hook.get("action", "")
    seconds = f" after {hook.get('elapsed_seconds', 0)} s"
    match event.get("type"):
        case "refresh_start":
            return f"reading {name}"
        case "apply_start":
            return f"{_DOING.get(action, action)} {name}"
        case "apply_progress":
            return f"{_DOING.get(action, action)} {name}{seconds}"
        case "apply_complete":
            return f"{_DONE.get(action, action)} {name}{seconds}"
        case "apply_errored":
            return f"{_DOING.get(action, action)} {name} failed{seconds}"
        case _:
            return None


_DOING = {"create": "creating", "update": "changing", "delete": "deleting", "import": "taking over"}
_DONE = {"create": "created", "update": "changed", "delete": "deleted", "import": "took over"}


def find_program() -> str | None:
    """The program `tofu` on PATH."""
    return shutil.which("tofu")


def prepare(folder: Path, kubeconfig: Path | None) -> tuple[Tofu | None, str]:
    """OpenTofu ready in a stack's folder, or None with the reason why not, in a few words.

    Raises:
        UserError: The state cannot be reached or read. To apply in another way then would be to apply beside it.
    """
    program = find_program()
    if program is None:
        return None, "there is no program tofu on PATH"
    tofu = Tofu(program, folder, kubeconfig)
    _refuse_without_passphrase(tofu.stack)
    try:
        done = tofu.run("init", "-no-color", timeout=_INIT_SECONDS)
        if done.returncode == 0:
            return tofu, ""
        providers = _without_backend(tofu)
    except subprocess.TimeoutExpired:
        return None, f"tofu init did not finish in {_INIT_SECONDS} s"
    if providers.returncode == 0:
        raise UserError(
            f"tofu init cannot use the backend of stack {folder.name}: {Diagnostic.from_text(done.stderr).sentence}",
            f"mend the backend; where it is a new one, take the state along: cd {folder} && tofu init -migrate-state",
        )
    return None, f"tofu init cannot install the providers: {Diagnostic.from_text(providers.stderr).sentence}"


def _without_backend(tofu: Tofu) -> subprocess.CompletedProcess[str]:
    """The same initialization in a copy that keeps its state nowhere: whether the providers are to be had."""
    with tempfile.TemporaryDirectory(prefix="pgha-init-") as name:
        (Path(name) / "cdk.tf.json").write_text(json.dumps(tofu.stack.without_backend()))
        return tofu.elsewhere(Path(name)).run("init", "-no-color", timeout=_INIT_SECONDS)


def _refuse_without_passphrase(stack: Stack) -> None:
    """An encrypted state needs its passphrase before anything else; OpenTofu would say so less clearly."""
    for name in stack.required_variables():
        if not os.environ.get(f"TF_VAR_{name}"):
            raise UserError(
                f"the state of stack {stack.name} is encrypted, and there is no passphrase",
                f"export TF_VAR_{name} (16 characters or more) from where you keep it",
            )


def _json(text: str) -> dict[str, Any]:
    """JSON after whatever warnings OpenTofu prints before it."""
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return found
