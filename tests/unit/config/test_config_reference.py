"""What is committed under docs/reference is what the types and the rules say."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pgha.config.codes import REGISTER
from pgha.config.model import Cluster
from pgha.config.reference import FOLDER, PAGES, schema, write

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(schema())
FILES = [*sorted((ROOT / "clusters").glob("*.yaml")), *sorted((ROOT / "tests/examples/valid").glob("*.yaml"))]


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_fresh(name: str) -> None:
    committed = (ROOT / FOLDER / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "run: python -m pgha.config.reference"


def test_writing_is_idempotent(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(PAGES)
    assert write(tmp_path) == []


def test_the_catalogue_has_every_code() -> None:
    page = PAGES["problems.md"]()
    assert re.findall(r"^### (\S+)$", page, re.MULTILINE) == sorted(REGISTER, key=lambda code: code[6:])


@pytest.mark.parametrize("code", REGISTER.values(), ids=lambda code: code.id)
def test_a_code_is_documented(code: object) -> None:
    for text in (code.must, code.remedy, code.why, code.source):  # type: ignore[attr-defined]
        assert text.strip()
        assert not text.endswith(".") or text is code.why  # type: ignore[attr-defined]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_satisfy_the_schema_and_point_to_it(path: Path) -> None:
    text = path.read_text()
    VALIDATOR.validate(yaml.safe_load(text))
    pointer = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert pointer
    assert (path.parent / pointer[1]).resolve() == (ROOT / FOLDER / "cluster.schema.json").resolve()


@pytest.mark.parametrize(
    "data",
    [{}, {"name": "a", "storge": {}}, {"name": "A"}, {"name": "a", "engine": "x"}, {"name": "a", "pooler": None}],
)
def test_the_schema_refuses_what_the_model_refuses(data: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(data)


def test_every_key_is_described() -> None:
    made = schema()
    for name, section in {"Cluster": made, **made["$defs"]}.items():
        for key, value in section["properties"].items():
            assert value.get("description") or "$ref" in value, f"{name}.{key}"


def test_the_schemas_defaults_are_the_models() -> None:
    defaults = {key: value["default"] for key, value in schema()["properties"].items() if "default" in value}
    name = {"name": "a"}
    assert Cluster.model_validate(name | json.loads(json.dumps(defaults)), by_alias=True) == Cluster.model_validate(
        name
    )
