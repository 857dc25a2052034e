"""What every test session says about itself at its end."""

import os
import signal
import time

import pytest

FIGURES = pytest.StashKey[list[str]]()
BEGUN = time.monotonic()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests are left out, and counted, unless they are asked for."""
    if os.environ.get("PGHA_LONG") != "1":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="NOT RUN: it takes minutes; make test LONG=1"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where time is short (CI), the lab's tests end in time, and what they did not run is counted."""
    minutes = float(os.environ.get("PGHA_MINUTES") or "inf")
    if item.get_closest_marker("lab") and time.monotonic() - BEGUN > minutes * 60:
        pytest.skip(f"NOT RUN: the {minutes:g} minutes of PGHA_MINUTES are over")


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores Ctrl-C, and what it starts would too: some tests press it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[FIGURES] = []


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the report: what was measured on the way. Never an assertion: machines differ."""
    return request.config.stash[FIGURES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[FIGURES]
    if lines:
        terminalreporter.section("measured on this machine")
        for line in lines:
            terminalreporter.line(line)
