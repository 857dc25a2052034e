"""What every test session says about itself at its end."""

import pytest

FIGURES = pytest.StashKey[list[str]]()


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
