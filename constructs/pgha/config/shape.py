"""From plain data to a `Cluster`: Pydantic's findings in our own sentences, and what can be salvaged beside them."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pgha.config.codes import Code, register
from pgha.config.model import Cluster, Section
from pgha.config.problems import Problem
from pgha.config.reading import Document
from pgha.config.text import is_secret, join, listed, nearest, show

_UNKNOWN = register(
    "PGHA-E101",
    must="be a key that pgha knows",
    remedy="see docs/reference/cluster-file.md for every key",
    why="A misspelt key would otherwise be ignored, and the default silently used in its place.",
    source="reliability: bad input 58",
)
_MISSING = register(
    "PGHA-E102",
    must="be given",
    remedy="add it",
    why="Only keys for which no default can be right are required.",
    source="data-model: Entity Definitions",
)
_TYPE = register(
    "PGHA-E103",
    must="have the right type",
    remedy="write it as its type asks",
    why=(
        "Values are never converted: a number in quotes is text, and a version without quotes is a number that loses "
        "its last zero."
    ),
    source="reliability: bad inputs 11, 19 and 49",
)
_CHOICE = register(
    "PGHA-E104",
    must="be one of the known words",
    remedy="choose one of them",
    why="The key takes one of a few words.",
    source="data-model: Validation Rules",
)
_NAME = register(
    "PGHA-E105",
    must="be lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or digit",
    remedy="choose such a name",
    why="The name becomes part of Kubernetes objects and of host names; CloudNativePG and Services refuse others.",
    source="RFC 1035; reliability: bad input 1",
)
_RANGE = register(
    "PGHA-E106",
    must="lie in its range",
    remedy="choose a value in it",
    why="Outside this range the value has no meaning.",
    source="data-model: Validation Rules",
)
_SECRET = register(
    "PGHA-E107",
    must="not hold a password",
    remedy="keep it in a Secret and name that Secret (`passwordSecret`, `credentialsSecret`)",
    why=(
        "A cluster file is committed and reviewed; what is in it is in Git for ever. The value is not repeated in the "
        "message. If the file has been pushed, replace the password."
    ),
    source="plan: Security Hardening, credentials never in Git",
)

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
}
_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
_ROUNDS = 40


def shape(document: Document) -> tuple[Cluster | None, list[Problem], set[str]]:
    """The cluster, every problem of form, and the paths that hold something unusable.

    With problems the cluster is what remains when the faulty keys are left out, so that the rules can still speak about
    the rest; it is None when nothing usable remains.
    """
    problems: dict[tuple[str, str], Problem] = {}
    broken: set[str] = set()
    data: dict[str, Any] = copy.deepcopy(document.data)
    for path in _drop_empty(data, ""):
        # `pooler:` could mean no pooler or the usual one; elsewhere it is a value that was forgotten.
        remedy = "give a value, or delete the key to have its default"
        problems[path, _TYPE.id] = _TYPE.at(path, "nothing", must="have a value", remedy=remedy)
        broken.add(path)
    for _ in range(_ROUNDS):
        try:
            # Only the file's own spelling: the Python names are for Python.
            return Cluster.model_validate(data, by_alias=True, by_name=False), list(problems.values()), broken
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path, problem = _translate(detail, document)
                problems.setdefault((path, problem.code), problem)
                if problem.code not in {_UNKNOWN.id, _SECRET.id}:
                    broken.add(path)
                _remove(data, _location(detail), missing=detail["type"] == "missing")
    return None, list(problems.values()), broken


def _translate(detail: ErrorDetails, document: Document) -> tuple[str, Problem]:
    location = _location(detail)
    path = _dotted(location)
    key = str(location[-1]) if location else path
    kind = detail["type"]
    value = "a value that is not shown" if is_secret(key) else show(detail["input"])
    if kind == "extra_forbidden":
        return path, _unknown(location, path, key)
    if kind == "missing":
        return path, _missing(location, path)
    if kind == "literal_error":
        return path, _choice(_CHOICE, detail, path, value)
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        limit = detail["ctx"][bound]
        return path, _RANGE.at(path, value, must=f"be {words} {limit}", remedy=f"write {limit} or {_beyond(words)}")
    if kind in {"string_pattern_mismatch", "string_too_short"}:
        suggestion = _slug(str(detail["input"]))
        remedy = f"write {suggestion}" if suggestion and not is_secret(key) else "choose such a name"
        if "pattern" not in detail.get("ctx", {}):
            return path, _NAME.at(path, value, must="not be empty", remedy="give a name")
        return path, _NAME.at(path, value, remedy=remedy)
    return path, _mistyped(detail, document, location, path, value)


def _unknown(location: tuple[str | int, ...], path: str, key: str) -> Problem:
    known = _keys_beside(location)
    if is_secret(key) and key not in known:
        return _SECRET.at(path, "a value that is not shown")
    near = nearest(key, known)
    remedy = f"did you mean `{near}`?" if near else f"the keys here are {listed(known)}"
    return _UNKNOWN.at(path, show(key), remedy=remedy)


def _missing(location: tuple[str | int, ...], path: str) -> Problem:
    field = _field(location)
    example = field.examples[0] if field and field.examples else None
    remedy = f"add it, for example `{location[-1]}: {example}`" if isinstance(example, str) else "add it"
    return _MISSING.at(path, "nothing", remedy=remedy)


def _choice(code: Code, detail: ErrorDetails, path: str, value: str) -> Problem:
    words = [word.strip("'") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    near = nearest(str(detail["input"]), words)
    remedy = f"did you mean {near}?" if near else f"write {words[0]}, for instance"
    return code.at(path, value, must=f"be one of {', '.join(words)}", remedy=remedy)


def _mistyped(
    detail: ErrorDetails, document: Document, location: tuple[str | int, ...], path: str, value: str
) -> Problem:
    wanted = _KINDS.get(detail["type"], "")
    given = detail["input"]
    union = _is_union(location)
    if union:
        wanted = "text, a number or true or false"
    if isinstance(given, str) and wanted != "text" and not is_secret(str(location[-1])):
        value = f'"{given}"' if show(given) == given else show(given)
    if wanted == "text" and isinstance(given, int | float):
        written = document.written.get(path, value)
        value = written
        remedy = f'put it in quotes: "{written}"'
        if location[-1] == "version":
            remedy = f'write the major version in quotes: "{written.partition(".")[0]}"; YAML reads 16.10 as 16.1'
    elif isinstance(given, str) and wanted in {"a whole number", "a number", "true or false"}:
        remedy = "write it without quotes"
        if wanted == "true or false":
            remedy = "write true or false, without quotes"
    elif wanted == "a list":
        remedy = "put it in a list: [ … ]"
    else:
        remedy = f"write {wanted}" if wanted else "see docs/reference/cluster-file.md"
    return _TYPE.at(path, value, must=f"be {wanted or 'of the right type'}", remedy=remedy)


def _drop_empty(node: object, path: str) -> Iterator[str]:
    """Take keys without a value out of the mappings in `node`; yields their paths."""
    if isinstance(node, dict):
        for key in [key for key, value in node.items() if value is None]:
            del node[key]
            yield join(path, key)
        for key, value in node.items():
            yield from _drop_empty(value, join(path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _drop_empty(value, join(path, index))


def _beyond(words: str) -> str:
    return "more" if words == "at least" else "less"


def _location(detail: ErrorDetails) -> tuple[str | int, ...]:
    """Where a finding is, in keys of the file: Pydantic adds a step for a union's member and for a mapping's key."""
    location: tuple[str | int, ...] = detail["loc"]
    if location and location[-1] == "[key]":
        return location[:-1]
    return location[:-1] if _is_union(location[:-1]) else location


def _is_union(location: tuple[str | int, ...]) -> bool:
    return len(location) == 3 and location[:2] in {("postgresql", "parameters"), ("backend", "config")}


def _dotted(location: tuple[str | int, ...]) -> str:
    path = ""
    for step in location:
        path = join(path, step)
    return path


def _remove(data: dict[str, Any], location: tuple[str | int, ...], *, missing: bool) -> None:
    """Take the faulty thing out of `data`, so that its default or nothing stands in its place."""
    if location == ("name",):
        data["name"] = "unnamed"
        return
    steps = location[:-1] if missing else location
    # Removing an item from a list would move those after it: what holds the list goes as a whole.
    while steps and isinstance(steps[-1], int):
        steps = steps[:-1]
    above: Any = data
    for step in steps[:-1]:
        try:
            above = above[step]
        except (KeyError, IndexError, TypeError):
            return  # an earlier finding took it
    if isinstance(above, dict) and steps:
        above.pop(steps[-1], None)


def _slug(text: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in kept.lstrip("-0123456789").split("-") if part)


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    section = _section(location[:-1])
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _field(location: tuple[str | int, ...]) -> FieldInfo | None:
    section = _section(location[:-1])
    fields: Mapping[str, FieldInfo] = section.model_fields if section else {}
    return next((field for field in fields.values() if field.alias == location[-1]), None)


def _section(location: tuple[str | int, ...]) -> type[Section] | None:
    """The model of the mapping at this place."""
    current: type[Section] | None = Cluster
    for index, step in enumerate(location):
        if isinstance(step, str):
            field = _field(location[: index + 1])
            current = next(_sections(field.annotation), None) if field else None
        if current is None:
            return None
    return current


def _sections(annotation: object) -> Iterator[type[Section]]:
    if get_origin(annotation) is None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation  # type: ignore[misc]
        return
    for part in get_args(annotation):
        yield from _sections(part)
