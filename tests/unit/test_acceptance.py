"""docs/reference/acceptance.md is whole, and every test that it names is there."""

import re

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs" / "reference" / "acceptance.md").read_text()


@pytest.mark.parametrize("number", [f"FR-{n:03}" for n in range(1, 13)] + [f"SC-{n:03}" for n in range(1, 9)])
def test_every_promise_has_a_row(number: str) -> None:
    assert re.search(rf"^\|[^|]*\b{number}\b", PAGE, re.MULTILINE)


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE))))
def test_every_test_that_is_named_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()
