"""What every test session says about itself at its end."""

import os

import pytest

FIGURES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests are left out, and counted, unless they are asked for."""
    if os.environ.get("PGHA_LONG") != "1":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="NOT RUN: it takes minutes; make test LONG=1"))


def pytest_configure(config: pytest.Config) -> None:
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
