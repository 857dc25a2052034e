"""The reference pages and the JSON Schema, made from the types and the register.

`python -m pgha.config.reference` rewrites them under docs/reference/.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

import pgha.config.checking  # noqa: F401 - registers every code
from pgha.config.codes import REGISTER, Code
from pgha.config.model import Cluster

FOLDER = Path("docs/reference")

_INTRODUCTION = {
    "cluster-file": """# The cluster file

One file under `clusters/` is one PostgreSQL cluster. Only `name` is required; every other key has a default. Unknown
keys are refused. Made from the types in `constructs/pgha/config`; do not edit.
""",
    "problems": """# Problems

Everything that `pgha validate` can find in a cluster file. An error (E) stops every command; a warning (W) is a risk
that a file can accept by naming the code under `silence`. Made from the rules in `constructs/pgha/config`; do not edit.

A line reads `file:line:column: CODE path: rule, got value; remedy`.
""",
}
_GROUPS = {
    "0": "Reading the file",
    "1": "Its form",
    "2": "Topology, names and engines",
    "3": "Databases and users",
    "4": "Network",
    "5": "PostgreSQL",
    "6": "Capacity",
    "7": "Backups",
    "8": "Credentials and delivery",
    "9": "Several files",
}


class _Schema(GenerateJsonSchema):
    """Draft 2020-12 as editors like it: no titles, which they would show instead of descriptions."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema of a cluster file."""
    made = Cluster.model_json_schema(by_alias=True, schema_generator=_Schema)
    _tidy(made)
    _shorten(made, made["$defs"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pgha cluster file",
        **{key: value for key, value in made.items() if key != "title"},
    }


def schema_text() -> str:
    """The schema as it is committed and printed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def cluster_file_page() -> str:
    """Every key with its type, default and meaning, a table per section."""
    made = schema()
    parts = [_INTRODUCTION["cluster-file"], "## The file\n\n" + _table(made, made)]
    parts += [f"## {path}\n\n{_lead(found)}{_table(found, made)}" for path, found in _sections(made, made, "")]
    return "\n".join(parts)


def problems_page() -> str:
    """Every code with its rule, reason, remedy and source."""
    parts = [_INTRODUCTION["problems"]]
    for digit, title in _GROUPS.items():
        codes = [code for code in REGISTER.values() if code.id[6] == digit]
        parts.append(f"## {title}\n")
        parts += [_entry(code) for code in sorted(codes, key=lambda code: code.id[6:])]
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "cluster.schema.json": schema_text,
    "cluster-file.md": cluster_file_page,
    "problems.md": problems_page,
}
"""Name under docs/reference/ → what makes it."""


def write(root: Path) -> list[Path]:
    """Write every page below `root`; returns those that changed."""
    changed = []
    for name, make in PAGES.items():
        path, text = root / FOLDER / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _entry(code: Code) -> str:
    kind = "error" if code.id.startswith("PGHA-E") else "warning"
    why = " ".join(code.why.split())
    return (
        f"### {code.id}\n\n*{kind}* · must {code.must}\n\n{why}\n\n**Do:** {code.remedy}\\\n**Source:** {code.source}\n"
    )


def _tidy(node: Any) -> None:  # noqa: ANN401 - JSON
    """Drop titles and the `null` beside a type: a key is left out, never written as null."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        choices = node.get("anyOf")
        if isinstance(choices, list) and {"type": "null"} in choices:
            choices.remove({"type": "null"})
            if len(choices) == 1:
                del node["anyOf"]
                node.update({key: value for key, value in choices[0].items() if key not in node})
            if node.get("default", ...) is None:
                del node["default"]
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)


def _shorten(node: Any, definitions: dict[str, Any]) -> None:  # noqa: ANN401 - JSON
    """Leave out of a default what is the default inside it anyway: people read it as an example."""
    if isinstance(node, dict):
        default, items = node.get("default"), node.get("items", {})
        if isinstance(default, dict) and "$ref" in node:
            node["default"] = {key: value for key, value in default.items() if value is not None}
        if isinstance(default, list) and "$ref" in items:
            usual = _defaults(definitions[items["$ref"].rpartition("/")[2]])
            node["default"] = [
                {key: value for key, value in entry.items() if value is not None and usual.get(key, ...) != value}
                for entry in default
            ]
        for value in node.values():
            _shorten(value, definitions)
    elif isinstance(node, list):
        for value in node:
            _shorten(value, definitions)


def _sections(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in node["properties"].items():
        inner, below = value, f"{path}{key}"
        if value.get("type") == "array":
            inner, below = value["items"], f"{path}{key}[]"
        if "$ref" in inner:
            found = root["$defs"][inner["$ref"].rpartition("/")[2]]
            yield below, found
            yield from _sections(found, root, f"{below}.")


def _lead(node: dict[str, Any]) -> str:
    return f"{node['description'].partition(chr(10))[0]}\n\n" if node.get("description") else ""


def _table(node: dict[str, Any], root: dict[str, Any]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = node.get("required", [])
    for key, value in node["properties"].items():
        default = "**required**" if key in required else _default(value, root)
        meaning = value.get("description") or root["$defs"][value["$ref"].rpartition("/")[2]]["description"]
        rows.append(f"| `{key}` | {_type(value)} | {default} | {meaning.partition(chr(10))[0]} |")
    return "\n".join(rows) + "\n"


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return "mapping"
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(choice) for choice in value["anyOf"]))
    if value.get("type") == "array":
        inner = value["items"]
        return "list of mappings" if "$ref" in inner else "list of words" if "enum" in inner else "list of texts"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return names.get(value.get("type", ""), "mapping")


def _default(value: dict[str, Any], root: dict[str, Any]) -> str:
    if "default" not in value:
        return "none"
    if "$ref" in value and value["default"] == _defaults(root["$defs"][value["$ref"].rpartition("/")[2]]):
        return "as below"
    return f"`{json.dumps(value['default'], ensure_ascii=False)}`"


def _defaults(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value["default"] for key, value in node["properties"].items() if "default" in value}


if __name__ == "__main__":
    for written in write(Path.cwd()):
        sys.stdout.write(f"wrote {written}\n")
