"""YAML with positions and without surprises.

Every scalar is read by YAML 1.2's core rules, and one that YAML 1.1 (Kubernetes' and Ansible's) would read otherwise is
refused: what a file means must not hang on who reads it. Built on libyaml's events: one file takes 2 ms where a
round-trip loader takes 50, and depth and size are bounded before anything is built.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from pgha.config.codes import Code, register
from pgha.config.problems import Problem
from pgha.config.text import join, show

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Value = Any
"""What YAML can say: text, a number, a truth value, nothing, a list or a mapping."""

Event = Any
"""An event or a mark of libyaml; which attributes it has hangs on its class, and the stubs know two of each."""

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 20
_MAX_DIGITS = 18
_WHOLE = "(file)"

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OTHERWISE_IN_1_1 = re.compile(
    r"""(?: (?P<word>yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)
        | [-+]?0[0-9_]+ | 0[box][0-9a-fA-F_]+ | [-+]?[0-9][0-9_]*_[0-9_.]*   # octal, binary, hexadecimal, 1_000
        | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?                   # 1:30 is ninety
        | [-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)
        | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ ].*)?                        # a date
    )\Z""",
    re.VERBOSE,
)
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what libyaml counts as the end of a line
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")

_SYNTAX = register(
    "PGHA-E001",
    must="be valid YAML",
    remedy="mend the syntax at this place",
    why="The file cannot be read any further, so other problems may show up once this one is mended.",
    source="YAML 1.2",
)
_TAB = register(
    "PGHA-E002",
    must="be indented with spaces",
    remedy="replace the tab with spaces",
    why="YAML forbids tabs in indentation, and editors show them as if they were spaces.",
    source="YAML 1.2, section 6.1",
)
_ENCODING = register(
    "PGHA-E003",
    must="be plain UTF-8 text",
    remedy="save it as UTF-8 without a byte order mark and without control characters",
    why="A byte order mark or another encoding is read differently by different tools.",
    source="YAML 1.2, section 5.2",
)
_EMPTY = register(
    "PGHA-E004",
    must="hold a cluster",
    remedy="begin with `name: postgres-cluster`; every other key has a default",
    why="An empty file is most likely a mistake: `name` has no default, because every object is named after it.",
    source="data-model: PostgreSQL Cluster, cluster_name",
)
_SEVERAL = register(
    "PGHA-E005",
    must="hold one document",
    remedy="give every cluster a file of its own",
    why="One file is one cluster: its name is found by its file, and its history is its own.",
    source="pgha",
)
_MAPPING = register(
    "PGHA-E006",
    must="be a mapping of keys to values",
    remedy="begin with `name: postgres-cluster`",
    why="A cluster file is a mapping; a list or a single word at the top level says nothing about a cluster.",
    source="pgha",
)
_DUPLICATE = register(
    "PGHA-E007",
    must="be written once",
    remedy="delete one of the two",
    why="Most YAML readers keep the last of two equal keys and drop the first without a word.",
    source="YAML 1.2, section 3.2.1.3",
)
_ANCHOR = register(
    "PGHA-E008",
    must="be written out",
    remedy="write the value itself instead of an anchor, an alias or a merge key",
    why="What a reviewer reads must be what is applied; anchors also let a small file grow without bound.",
    source="pgha",
)
_TAG = register(
    "PGHA-E009",
    must="be plain YAML without a tag",
    remedy="delete the tag that begins with `!`",
    why="A tag asks the reader to build an object; a cluster file holds only text, numbers and truth values.",
    source="pgha",
)
_KEY = register(
    "PGHA-E010",
    must="have text for its keys",
    remedy="put the key in quotes, or write `key: value` with a space after the colon",
    why="A key that is a number, a list or a mapping names nothing that pgha knows.",
    source="pgha",
)
_AMBIGUOUS = register(
    "PGHA-E011",
    must="mean the same to every YAML reader",
    remedy="put it in quotes, or write true or false, or a plain decimal number",
    why=(
        "YAML 1.1 and 1.2 read such words differently: `no` is false or the text no, `012` is ten or twelve, `1:30` is "
        "ninety or text. Kubernetes' tools read 1.1, most newer ones 1.2."
    ),
    source="reliability: bad input 59",
)
_SIZE = register(
    "PGHA-E012",
    must="be a file that a person wrote",
    remedy="keep it under 1 MiB, 20 levels deep and numbers under 19 digits",
    why="A bound that no real cluster file comes near keeps a hostile one from using up memory.",
    source="pgha",
)


@dataclass(frozen=True)
class Place:
    """A position; both count from 1."""

    line: int
    column: int


@dataclass
class Document:
    """What a file says: plain data, where each value and each key stands, and each scalar as it was written."""

    data: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Place] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def place(self, path: str, *, key: bool = False) -> Place:
        """Where `path` stands, or the nearest thing around it that is in the file."""
        if key and path in self.keys:
            return self.keys[path]
        while path:
            if path in self.values:
                return self.values[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return Place(1, 1)


class _StopError(Exception):
    """Reading cannot go on; the problem is recorded."""


class _Reader:
    """Builds a `Document` from libyaml's events, noting every problem on the way."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[Event] = iter(yaml.parse(text, Loader=_Loader))
        self.document = Document()
        self.last = _after(text)
        self.found: list[tuple[Problem, Place]] = []

    def note(self, code: Code, path: str, got: str, event: Event) -> None:
        self.found.append((code.at(path or _WHOLE, got), self.place(event)))

    def place(self, event: Event) -> Place:
        """Where an event stands; libyaml puts what is left out at the end one line after the last."""
        found = _place(event.start_mark)
        return self.last if found.line > self.last.line else found

    def read(self) -> None:
        roots = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                root = next(self.events)
                roots += 1
                if roots > 1:
                    self.note(_SEVERAL, "", "another document", event)
                    return
                self.root(root)
        if not roots:
            self.found.append((_EMPTY.at(_WHOLE, "nothing"), Place(1, 1)))

    def root(self, event: Event) -> None:
        value = self.value(event, "", 0)
        if isinstance(value, dict):
            self.document.data = value
        elif value is None and isinstance(event, yaml.ScalarEvent):
            self.note(_EMPTY, "", "nothing", event)
        else:
            self.note(_MAPPING, "", show(value), event)

    def value(self, event: Event, path: str, depth: int) -> Value:
        if depth > _MAX_DEPTH:
            self.note(_SIZE, path, f"more than {_MAX_DEPTH} levels", event)
            raise _StopError
        self.document.values[path] = self.place(event)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self.note(_ANCHOR, path, ("*" if isinstance(event, yaml.AliasEvent) else "&") + show(event.anchor), event)
        if isinstance(event, yaml.AliasEvent):
            return None
        if event.tag is not None:
            self.note(_TAG, path, show(event.tag), event)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path, depth)
        return self.scalar(event, path)

    def sequence(self, path: str, depth: int) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event, join(path, len(items)), depth + 1))
        return items

    def mapping(self, path: str, depth: int) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path, depth)
            below = join(path, key)
            if key in entries:
                self.note(_DUPLICATE, below, "it twice", event)
            self.document.keys[below] = self.place(event)
            entries[key] = self.value(next(self.events), below, depth + 1)
        return entries

    def key(self, event: Event, path: str, depth: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.note(_KEY, path, "a list, a mapping or an alias as a key", event)
            self.value(event, join(path, "?"), depth + 1)
            return "?"
        if event.anchor is not None or (event.value == "<<" and not event.style):
            self.note(_ANCHOR, join(path, event.value), show(event.value), event)
        elif event.tag is not None:
            self.note(_TAG, path, show(event.tag), event)
        elif not event.style and not isinstance(_plain(event.value), str):
            self.note(_KEY, path, f"the key {show(event.value)}", event)
        return str(event.value)

    def scalar(self, event: Event, path: str) -> Value:
        text = str(event.value)
        self.document.written[path] = text
        if event.style or event.tag is not None:
            return text
        if other := _OTHERWISE_IN_1_1.match(text):
            # PostgreSQL's own spelling of true and false, which nobody reads as anything else.
            if not (other["word"] and path.startswith("postgresql.parameters.")):
                self.note(_AMBIGUOUS, path, text, event)
            return text
        if len(text.lstrip("+-")) > _MAX_DIGITS and _INT.match(text):
            self.note(_SIZE, path, f"a number of {len(text.lstrip('+-'))} digits", event)
            return 0
        value = _plain(text)
        if isinstance(value, float) and math.isinf(value):
            self.note(_SIZE, path, text, event)
            return 0
        return value


def read(raw: bytes) -> tuple[Document, list[tuple[Problem, Place]]]:
    """What the bytes say, and what is wrong with how they say it. Never raises."""
    if len(raw) > _MAX_BYTES:
        return Document(), [(_SIZE.at(_WHOLE, f"{len(raw)} bytes"), Place(1, 1))]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        return Document(), [(_ENCODING.at(_WHOLE, f"the byte 0x{raw[error.start]:02x}"), _after(before))]
    if stray := _FORBIDDEN.search(text):
        what = "a byte order mark" if stray[0] == "\ufeff" else f"the character U+{ord(stray[0]):04X}"
        return Document(), [(_ENCODING.at(_WHOLE, what), _after(text[: stray.start()]))]
    reader = _Reader(text)
    try:
        reader.read()
    except yaml.MarkedYAMLError as error:
        reader.found.append(_syntax(error, text))
        reader.document.data = {}
    except _StopError:
        reader.document.data = {}
    return reader.document, reader.found


def _plain(text: str) -> Value:
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[Problem, Place]:
    mark = error.problem_mark or error.context_mark
    place = _place(mark) if mark else Place(1, 1)
    lines = _BREAK.split(text)
    # libyaml may report the end of the stream, one line after the last.
    if place.line > len(lines):
        place = Place(len(lines), len(lines[-1]) + 1)
    line = lines[place.line - 1]
    if "\t" in line[: place.column] or "\t" in line[: len(line) - len(line.lstrip())]:
        return _TAB.at(_WHOLE, "a tab"), place
    said = " ".join(part for part in (error.context, error.problem) if part)
    return _SYNTAX.at(
        _WHOLE, show(line.strip()[:40]) if line.strip() else "the end", remedy=f"the reader says: {said}"
    ), place


def _after(before: str) -> Place:
    lines = _BREAK.split(before)
    return Place(len(lines), len(lines[-1]) + 1)


def _place(mark: Event) -> Place:
    return Place(mark.line + 1, mark.column + 1)
