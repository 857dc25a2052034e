"""The lab as the README starts it, once for all tests of this folder."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from running_lab import ROOT, Database, run
from tofu_project import INIT_SECONDS, tofu_program

from lab import cgroups, cluster, network, preflight
from lab.home import STATE
from lab.programs import Extra
from lab.steps import LabError
from pgha.delivery.diagnostics import Diagnostic
from pgha.delivery.tofu import Tofu


def _alive() -> bool:
    return STATE.is_dir() and bool(network.existing()) and cgroups.init("n1") is not None


@pytest.fixture(scope="session")
def built(pytestconfig: pytest.Config, figures: list[str]) -> None:
    """All programs and images that the tests of this folder need, built with the progress in sight."""
    try:
        preflight.check(3)
    except LabError as error:
        pytest.skip(f"NOT RUN, no lab on this machine: {error}")
    begun = time.monotonic()
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print()
        subprocess.run(
            [".venv/bin/lab", "build", *(word for extra in Extra for word in ("--with", extra))], cwd=ROOT, check=True
        )
    figures.append(f"lab build of what the cache had not: {time.monotonic() - begun:.0f} s")


@pytest.fixture(scope="session")
def database(built: None, figures: list[str]) -> Iterator[Database]:
    """A running, whole cluster. One that this session started is removed at its end, and nothing may remain."""
    ran_before = _alive() and cluster.record() is not None
    up = run("make", "--no-print-directory", "up")
    assert up.code == 0, up.out
    figures.append(f"make up {'again' if ran_before else 'from what the cache had'}: {up.seconds:.0f} s")
    yield Database(None if ran_before else up)
    if not ran_before:
        down = run("make", "--no-print-directory", "down")
        assert down.code == 0, down.out


@pytest.fixture
def whole(database: Database) -> Database:
    """The cluster with all three instances ready, whatever the test before did to it."""
    database.heal()
    return database


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OpenTofu and the providers that a cluster's stack requires; skips, before anything is started, without them."""
    program = tofu_program()
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
        pytest.skip(f"NOT RUN: tofu init cannot install the providers: {Diagnostic.from_text(done.stderr).sentence}")
