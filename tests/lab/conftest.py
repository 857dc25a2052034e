"""The lab as the README starts it, once for all tests of this folder."""

from collections.abc import Iterator

import pytest
from running_lab import Database, run

from lab import cgroups, cluster, network, preflight
from lab.home import STATE
from lab.steps import LabError


def _alive() -> bool:
    return STATE.is_dir() and bool(network.existing()) and cgroups.init("n1") is not None


@pytest.fixture(scope="session")
def database(figures: list[str]) -> Iterator[Database]:
    """A running, whole cluster. One that this session started is removed at its end, and nothing may remain."""
    try:
        preflight.check(3)
    except LabError as error:
        pytest.skip(f"NOT RUN, no lab on this machine: {error}")
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
