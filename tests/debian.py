"""Programs of Debian packages for tests, unpacked below .cache/: nothing is installed, no service is started.

`python -m tests.debian` fetches them all, with progress, before the tests; else the first test that needs one does.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT

CACHE = ROOT / ".cache" / "debian"
_SECONDS = 600
_REFUSED: dict[str, str] = {}
"""Packages that could not be had, and why: the next test does not wait for the same answer."""


class MissingError(Exception):
    """A package cannot be had here: no Debian, or no archive within reach."""


def promtool() -> Path:
    """Prometheus' own checker of rules: this machine's, else Debian's.

    Raises:
        MissingError: Neither is there.
    """
    found = shutil.which("promtool")
    return Path(found) if found else unpacked("prometheus", alone=True) / "usr/bin/promtool"


def postgresql() -> Path:
    """The folder with the programs of the newest PostgreSQL server: this machine's, else Debian's.

    Raises:
        MissingError: Neither is there.
    """
    here = _servers(Path("/")) or _servers(unpacked("postgresql"))
    return here[-1]


def libraries(program: Path) -> dict[str, str]:
    """What the environment must hold for a program of an unpacked package to find the libraries beside it."""
    tree = Path(str(program).partition("/usr/")[0] or "/")
    if tree == Path("/"):
        return {}
    folders = sorted({str(path.parent) for path in (tree / "usr/lib").glob("*-linux-gnu*/*.so*")})
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders)}


def _servers(root: Path) -> list[Path]:
    found = sorted(root.glob("usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return [path.parent for path in found]


def unpacked(package: str, *, alone: bool = False) -> Path:
    """A folder with the package and, unless `alone`, what it depends on and this machine lacks.

    Raises:
        MissingError: It cannot be had, and why.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingError(f"the package {package} is Debian's, and there is no apt-get here")
    folder = CACHE / package
    if package in _REFUSED:
        raise MissingError(_REFUSED[package])
    with _one_at_a_time():
        if not folder.is_dir():
            try:
                _fetch(package, alone, folder)
            except MissingError as error:
                _REFUSED[package] = str(error)
                raise
    return folder


def _fetch(package: str, alone: bool, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "packages").mkdir(parents=True)
    try:
        _download(package, alone, partial / "packages", [])
    except MissingError:  # this machine's lists are empty or old: read them anew, beside its own
        _download(package, alone, partial / "packages", _lists_of_our_own())
    for path in sorted((partial / "packages").iterdir()):
        _run(["dpkg-deb", "--extract", path, partial])
    shutil.rmtree(partial / "packages")
    partial.rename(folder)


def _download(package: str, alone: bool, into: Path, options: list[str]) -> None:
    wanted = [package]
    if not alone:
        simulated = _run(["apt-get", *options, "install", "--simulate", "--no-install-recommends", package])
        lines = [line.split() for line in simulated.splitlines()]
        wanted = [words[1] for words in lines if words[:1] == ["Inst"]] or wanted
    _run(["apt-get", *options, "download", *wanted], cwd=into)


def _lists_of_our_own() -> list[str]:
    folder = CACHE / "apt"
    for name in ("lists", "cache"):
        (folder / name / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
    # apt would otherwise read as a user who may not enter a home folder.
    options += ["-o", f"APT::Sandbox::User={'root' if os.geteuid() == 0 else ''}"]
    _run(["apt-get", *options, "update"])
    return options


def _run(command: list[str | Path], cwd: Path | None = None) -> str:
    env = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{command[0]} did not answer within {_SECONDS} s") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E: ")] or done.stderr.splitlines()[-1:]
        raise MissingError(f"{command[0]}: {said[0] if said else f'exit {done.returncode}'}")
    return done.stdout


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Several test processes may want the same package at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for what, find in {"PostgreSQL's server": postgresql, "promtool": promtool}.items():
        print(f"{what}: ", end="", flush=True)
        try:
            print(find())
        except MissingError as missing:
            print(f"the tests that need it will be skipped: {missing}")
    sys.exit(0)
