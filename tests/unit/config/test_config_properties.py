"""No input of any kind ends with anything but a cluster or sentences."""

import math
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pgha.config import Cluster, ConfigError, check, load, load_text
from pgha.config.model import Section
from pgha.config.reading import read
from pgha.config.shape import _sections
from pgha.config.writing import dump

KEYS = sorted({field.alias or name for name, field in Cluster.model_fields.items()})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1Gi", "512m", "10.0.0.0/8", "0 2 * * *", "app", "sync", "", "-", "é" * 40, "192.168.1.1-192.168.1.9"]
    )
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)


def shaped(section: type[Section]) -> st.SearchStrategy[dict[str, object]]:
    """Mappings with the section's own keys, holding what may or may not suit them."""
    entries: dict[str, st.SearchStrategy[object]] = {}
    for name, field in section.model_fields.items():
        inner = next(_sections(field.annotation), None)
        value = (
            (shaped(inner) | st.lists(shaped(inner), max_size=2) | SCALARS)
            if inner
            else (SCALARS | st.lists(SCALARS, max_size=2))
        )
        entries[field.alias or name] = value
    return st.fixed_dictionaries({}, optional=entries)


LIKELY = shaped(Cluster).map(lambda data: {"name": "demo", "delivery": "tofu", **data})
EXAMPLES = int(os.environ.get("PGHA_EXAMPLES", "120"))
"""How many inputs each property is tried with; `make fuzz` tries more."""

quickly = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def judged(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    (report,) = check([path])
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", raw.decode("utf-8", "replace"))
    for problem in report.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert "\n" not in str(problem)
        str(problem).encode()
    assert (report.cluster is None) == bool(report.errors)
    if report.errors:
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.problems == list(report.errors)
    else:
        assert load(path) == report.cluster


@given(raw=st.binary(max_size=200))
@quickly
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    judged(tmp_path / "a.yaml", raw)


@given(text=st.text(alphabet=st.sampled_from("name: a\n\t-[]{}&*!|>'\"%@`#,?<0123.yo~é\u2028\x85"), max_size=60))
@quickly
def test_any_text_that_looks_like_yaml(tmp_path: Path, text: str) -> None:
    judged(tmp_path / "a.yaml", text.encode())


@given(data=ANYTHING)
@quickly
def test_any_data(tmp_path: Path, data: object) -> None:
    judged(tmp_path / "a.yaml", yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(data=LIKELY)
@quickly
def test_any_data_under_the_right_keys(tmp_path: Path, data: dict[str, object]) -> None:
    judged(tmp_path / "a.yaml", yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(
    parameters=st.dictionaries(
        st.sampled_from(["work_mem", "max_connections", "shared_buffers", "wal_level", "fsync", "max_wal_size", "x.y"]),
        st.one_of(
            st.integers(),
            st.floats(),
            st.booleans(),
            st.text(max_size=10),
            st.from_regex(r"\d{1,4}[kMG]?B?", fullmatch=True),
        ),
    )
)
@example(parameters={"wal_level": "A\n"})  # its lower case was what one was told to write
@quickly
def test_any_parameters(tmp_path: Path, parameters: dict[str, object]) -> None:
    data = {"name": "demo", "postgresql": {"parameters": parameters}, "pooler": {}}
    judged(tmp_path / "a.yaml", yaml.safe_dump(data, allow_unicode=True).encode())


@given(text=st.text(max_size=40), number=st.floats() | st.integers(1 - 10**18, 10**18 - 1) | st.booleans())
@quickly
def test_what_is_dumped_is_read_again(text: str, number: float) -> None:
    """Whatever YAML makes of a word or a number, and whatever characters it holds."""
    cluster = Cluster.model_validate(
        {"name": "demo", "postgresql": {"parameters": {"x.text": text, "x.number": number}}}
    )
    document, faults = read(dump(cluster).encode("utf-8", "surrogatepass"))
    found = document.data["postgresql"]["parameters"] if document.data else {}
    if not faults:
        assert (found["x.text"], found["x.number"]) == (text, number)
    else:
        # Surrogates and infinities are what a file cannot hold in the first place.
        assert any("\ud800" <= letter <= "\udfff" for letter in text) or not math.isfinite(number)


@pytest.mark.parametrize("name", ["lab", "postgres-ha", "postgres-cluster"])
def test_load_dump_load_is_the_identity(name: str) -> None:
    cluster = load(Path(__file__).parents[3] / f"clusters/{name}.yaml")
    again = load_text(dump(cluster).encode(), "again.yaml")
    assert again == cluster
    assert again.model_fields_set == cluster.model_fields_set
