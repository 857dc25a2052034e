"""docs/reference/effects.md is what the rules say."""

from pathlib import Path

from pgha.engines import RULEBOOKS
from pgha.engines.reference import PAGE, page, write

ROOT = Path(__file__).parents[3]


def test_the_committed_page_is_fresh() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), "run: python -m pgha.engines.reference"


def test_every_key_of_every_engine_is_on_it() -> None:
    for engine, book in RULEBOOKS.items():
        _, _, section = page().partition(f"## Engine {engine}\n")
        for key in book.rules:
            assert f"| `{key}` |" in section


def test_writing_is_idempotent(tmp_path: Path) -> None:
    assert write(tmp_path)
    assert not write(tmp_path)
