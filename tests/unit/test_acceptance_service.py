"""docs/reference/acceptance-cluster-service.md is whole: each row of the seed once, and every test that it names."""

import re

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs" / "reference" / "acceptance-cluster-service.md").read_text()
ALIASES = dict(re.findall(r"^- `(\w+)` is `(tests/[\w/]+\.py)`$", PAGE, re.MULTILINE))
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if re.match(r"\| \w+\.\d", line)]

SECTIONS = {
    "Feature": 7,  # the seed's six, and the overview's failover
    "Component": 6,
    "Resource": 4,
    "Parameter": 8,
    "Network": 3,
    "Usage": 7,
    "Operation": 6,
    "Trouble": 4,
    "Tuning": 4,
    "Security": 8,
    "Practice": 5,
    "Metric": 7,
    "Query": 4,
    "Dashboard": 1,
    "Maintain": 3,
    "Upgrade": 1,
    "Client": 2,
    "Future": 8,
    "Found": 2,  # what the seed does not know
}
"""How many rows each section of the seed has."""


def test_every_row_of_the_seed_is_there_once_in_its_order() -> None:
    expected = [f"{name}.{number}" for name, count in SECTIONS.items() for number in range(1, count + 1)]
    assert [cells[0] for cells in ROWS] == expected


@pytest.mark.parametrize("cells", ROWS, ids=[cells[0] for cells in ROWS])
def test_every_row_says_what_proves_it(cells: list[str]) -> None:
    """A test, a command, a page, or the plain word that nothing was run."""
    assert len(cells) == 4
    assert re.search(r"`|none|runbook|the same|the dashboard", cells[2])
    assert re.search(r"`|not run|the same|not here", cells[3])


@pytest.mark.parametrize("alias_and_name", sorted(set(re.findall(r"`([A-Z0-9]+)::(\w+)`", PAGE))), ids="::".join)
def test_every_test_that_is_named_is_there(alias_and_name: tuple[str, str]) -> None:
    alias, name = alias_and_name
    assert f"def {name}(" in (ROOT / ALIASES[alias]).read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`invalid/([a-z0-9-]+)`", PAGE))))
def test_every_example_that_is_named_is_there(name: str) -> None:
    assert (ROOT / "tests" / "examples" / "invalid" / f"{name}.yaml").is_file()


def test_no_alias_is_idle() -> None:
    assert set(re.findall(r"`([A-Z0-9]+)::", PAGE)) == set(ALIASES)
