"""Every key of the model has a stated effect for every engine, and each statement is fit to be read."""

from typing import Any, get_args

import pytest

from pgha.config.changes import patterns
from pgha.config.model import Cluster
from pgha.config.reference import schema
from pgha.engines import RULEBOOKS
from pgha.engines.effects import MEANING, Case, Level

CASES = [
    pytest.param(case, id=f"{engine}-{key}-{number}")
    for engine, book in RULEBOOKS.items()
    for key, cases in book.rules.items()
    for number, case in enumerate(cases)
]


def leaves(node: dict[str, Any], path: str = "") -> set[str]:
    """The keys of the JSON Schema, walked without the model's own help."""
    found: set[str] = set()
    for key, value in node["properties"].items():
        inner, below = value, f"{path}{key}"
        if value.get("type") == "array" and "$ref" in value["items"]:
            inner, below = value["items"], f"{path}{key}[]"
        if "$ref" in inner:
            if "default" not in value and "[]" not in below.rpartition(".")[2]:
                found.add(below)
            found |= leaves(schema()["$defs"][inner["$ref"].rpartition("/")[2]], f"{below}.")
        else:
            found.add(f"{below}.*" if value.get("type") == "object" else below)
    return found


REQUIRED_SECTIONS = {"network.loadBalancer.pool", "recovery.objectStore"}


def test_the_walk_finds_every_key_of_the_schema() -> None:
    assert set(patterns()) == leaves(schema()) - REQUIRED_SECTIONS


@pytest.mark.parametrize("engine", get_args(Cluster.model_fields["engine"].annotation))
def test_every_key_has_an_effect(engine: str) -> None:
    assert set(RULEBOOKS[engine].rules) == set(patterns())


@pytest.mark.parametrize("engine", RULEBOOKS)
def test_the_last_case_always_holds_and_only_it(engine: str) -> None:
    for key, cases in RULEBOOKS[engine].rules.items():
        assert cases[-1].when is None, key
        assert all(case.when for case in cases[:-1]), key
        assert all(case.said for case in cases[:-1]), key


@pytest.mark.parametrize("case", CASES)
def test_a_case_reads_well(case: Case) -> None:
    for text in (case.reason, case.remedy, case.said):
        assert text == text.strip()
        assert not text.endswith(".")
    assert case.reason
    assert case.reason.split()[0] in {"OpenTofu", "Argo", "PgBouncer", "External", "Pgpool-II", "TLS"} | {
        "MetalLB", "Prometheus", "synchronous_standby_names"} or case.reason[0].islower()  # fmt: skip
    if case.level in {Level.REFUSED, Level.BY_HAND}:
        assert case.remedy, "what can a person do instead?"


def test_every_level_is_explained() -> None:
    assert list(MEANING) == list(Level)
    assert [level.rank for level in Level] == list(range(len(Level)))
