"""Every example says what is wrong with it, and exactly that is found."""

import re
from pathlib import Path

import pytest

from pgha.config import check, load
from pgha.config.codes import REGISTER

EXAMPLES = Path(__file__).parents[2] / "examples"
INVALID = sorted((EXAMPLES / "invalid").rglob("*.yaml"))
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def expected(path: Path) -> list[str]:
    return sorted(re.findall(r"PGHA-[EW]\d{3}\b", text_of(path).splitlines()[0]))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_finds_exactly_what_the_example_says(path: Path) -> None:
    beside = re.search(r"^# beside: (\S+)$", text_of(path), re.MULTILINE)
    paths = [path.with_name(beside[1])] if beside else []
    report = check([*paths, path])[-1]
    assert sorted(problem.code for problem in report.problems) == expected(path)
    assert (report.cluster is None) == any(code.startswith("PGHA-E") for code in expected(path))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_finding_is_one_complete_sentence_at_a_place_in_the_file(path: Path) -> None:
    lines = text_of(path).split("\n")
    for problem in check([path])[0].problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert re.fullmatch(rf"{re.escape(str(path))}:\d+:\d+: PGHA-[EW]\d{{3}} .+: must .+, got .+; .+", str(problem))
        assert (
            problem.remedy[0].islower()
            or not problem.remedy[0].isalpha()
            or problem.remedy[:2].isupper()
            or (problem.remedy.startswith("PostgreSQL"))
        )
        assert not problem.remedy.endswith(".")


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_passwords_are_never_repeated(path: Path) -> None:
    assert "hunter2" not in "".join(str(problem) for problem in check([path])[0].problems)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_examples_have_no_findings(path: Path) -> None:
    assert check([path])[0].problems == ()
    load(path)


def test_the_minimal_example_has_fewer_than_ten_lines() -> None:
    assert len((EXAMPLES / "valid/minimal.yaml").read_text().splitlines()) < 10


def test_every_code_has_an_example() -> None:
    assert {code for path in INVALID for code in expected(path)} == set(REGISTER)


def test_the_folder_as_a_whole_names_no_more_than_its_files() -> None:
    alone = {code for path in INVALID for code in expected(path)}
    together = {problem.code for report in check(INVALID) for problem in report.problems}
    assert together == alone
