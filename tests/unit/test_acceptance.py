"""docs/reference/acceptance.md is whole: every row of the seeds is there once, and every test that it names exists."""

import re

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs" / "reference" / "acceptance.md").read_text()
ALIASES = dict(re.findall(r"^- `(\w+)` is `(tests/[\w/]+\.py)`$", PAGE, re.MULTILINE))
ROWS = {cells[0]: cells for line in PAGE.splitlines() if (cells := [cell.strip() for cell in line.split("|")[1:-1]])}

SEEDS = {
    # spec.md: acceptance scenarios of four user stories, FR, SC, edge cases.
    **{f"US{story}.": 3 for story in (1, 2, 3, 4)},
    "FR-": 12,
    "SC-": 8,
    "Edge.": 7,
    # data-model.md: three validation rules per entity, invariants by level, security, metrics and alerts.
    **{f"{entity}.": 3 for entity in ("Cluster", "Instance", "Database", "User", "Endpoint", "Storage", "Backup")},
    "Inv.C": 4,
    "Inv.I": 4,
    "Inv.N": 3,
    "Inv.S": 3,
    "Sec.": 10,
    "Metric.": 7,
    "Alert.": 6,
    # research.md: implementation notes of topics 1 and 2, findings of topics 3 and 4, tables at its end.
    "R1.": 6,
    "R2.": 5,
    "R3.": 6,
    "R4.": 1,
    "Stack.": 10,
    "Risk.": 4,
    "Open.": 4,
}
"""How many of each the seeds have."""

IDS = {
    f"{prefix}{number:03}" if prefix.endswith("-") else f"{prefix}{number}"
    for prefix, count in SEEDS.items()
    for number in range(1, count + 1)
} | {f"Plan.{number}" for number in ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")}


def references() -> list[tuple[str, str]]:
    """File and test of each that the page names, aliases resolved."""
    named = re.findall(r"`(?:(tests/[\w/]+\.py)|([A-Z0-9]+))::(\w+)`", PAGE)
    return sorted({(path or ALIASES[alias], name) for path, alias, name in named})


def test_every_row_of_the_seeds_is_there_once_and_no_other() -> None:
    heads = {"Id", "---"}
    assert set(ROWS) - heads == IDS
    assert len(re.findall(r"^\| [\w.-]+ \|", PAGE, re.MULTILINE)) == len(IDS) + PAGE.count("| Id |")


def test_every_row_says_what_proves_it() -> None:
    """A test, an example, a page, or the plain word that nothing was run."""
    for id_, cells in ROWS.items():
        if id_ not in {"Id", "---"}:
            assert len(cells) == 4, id_
            assert all(cells), id_
            assert re.search(r"`|none|runbook|the same", cells[2]), id_
            assert re.search(r"`|not run|by hand|the same|docs/|this table|not here", cells[3]), id_


@pytest.mark.parametrize(("path", "name"), references())
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`invalid/([a-z0-9-]+)`", PAGE))))
def test_every_example_that_is_named_is_there(name: str) -> None:
    assert (ROOT / "tests" / "examples" / "invalid" / f"{name}.yaml").is_file()


def test_no_alias_is_idle() -> None:
    used = set(re.findall(r"`([A-Z0-9]+)::", PAGE))
    assert used == set(ALIASES)
