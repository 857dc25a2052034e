"""YAML's traps, each with its own sentence and place."""

from collections.abc import Callable

import pytest

from pgha.config import Problem
from pgha.config.reading import read

Find = Callable[[str | bytes], list[Problem]]


@pytest.mark.parametrize(
    ("raw", "code", "line", "column"),
    [
        (b"name: a\nstorage:\n\tsize: 1\n", "PGHA-E002", 3, 1),
        (b"name: 'a\n", "PGHA-E001", 2, 1),
        (b"\xef\xbb\xbfname: a\n", "PGHA-E003", 1, 1),
        ("name: a\nnamespace: ñ\n".encode("latin-1"), "PGHA-E003", 2, 12),
        ("name: a\n".encode("utf-16"), "PGHA-E003", 1, 1),
        (b"name: a\x00\n", "PGHA-E003", 1, 8),
        (b"", "PGHA-E004", 1, 1),
        (b"# nothing\n---\n", "PGHA-E004", 3, 1),
        (b"name: a\n---\nname: b\n", "PGHA-E005", 2, 1),
        (b"just words\n", "PGHA-E006", 1, 1),
        (b"name: a\nname: b\n", "PGHA-E007", 2, 1),
        (b"storage: &x {}\nname: a\n", "PGHA-E008", 1, 10),
        (b"name: *x\n", "PGHA-E008", 1, 7),
        (b"name: !!python/object:os.system a\n", "PGHA-E009", 1, 7),
        (b"[a]: 1\nname: a\n", "PGHA-E010", 1, 1),
        (b"null: 1\nname: a\n", "PGHA-E010", 1, 1),
        (b"name: on\n", "PGHA-E011", 1, 7),
        (b"name: " + b"[" * 5000 + b"\n", "PGHA-E012", 1, 27),
        (b"instances: " + b"9" * 5000 + b"\nname: a\n", "PGHA-E012", 1, 12),
        (b"#" * (1 << 20) + b"\nname: a\n", "PGHA-E012", 1, 1),
    ],
)
def test_a_trap_is_named_at_its_place(problems: Find, raw: bytes, code: str, line: int, column: int) -> None:
    assert (code, line, column) in [(found.code, found.line, found.column) for found in problems(raw)]


@pytest.mark.parametrize(
    "word", ["no", "Yes", "ON", "off", "012", "0x1F", "0o7", "1_000", "1:30", ".inf", "2025-11-14"]
)
def test_words_that_yaml_versions_read_differently_are_refused(problems: Find, word: str) -> None:
    codes = [found.code for found in problems(f"name: a\ndelivery: tofu\nnamespace: {word}\n")]
    assert codes == ["PGHA-E011"]


@pytest.mark.parametrize("word", ["on", "off", "yes", "no"])
def test_postgresqls_own_truth_values_are_welcome_among_its_parameters(problems: Find, word: str) -> None:
    assert problems(f"name: a\ndelivery: tofu\npostgresql: {{parameters: {{jit: {word}}}}}\n") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("0.9", 0.9),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("null", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("500m", "500m"),
        ("192.168.1.1", "192.168.1.1"),
        ("y", "y"),
    ],
)
def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    document, faults = read(f"a: {text}\n".encode())
    assert faults == []
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_a_duplicate_key_is_reported_beside_other_faults(problems: Find) -> None:
    found = problems("name: a\ndelivery: tofu\ninstances: 3\ninstances: 1\n")
    assert [problem.code for problem in found] == ["PGHA-E007"]


def test_windows_line_ends_are_fine(problems: Find) -> None:
    assert problems("name: a\r\ndelivery: tofu\r\n") == []


def test_what_is_left_out_at_the_end_stands_on_the_last_line(problems: Find) -> None:
    """Found by `make fuzz`: libyaml places the missing value of `? 0` on a line that is not there."""
    assert {(problem.line, problem.column) for problem in problems("? 0")} <= {(1, 1), (1, 3), (1, 4)}
