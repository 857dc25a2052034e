"""What differs between two descriptions of a cluster, key by key.

Entries of `databases` and `users` are told apart by name, whatever their order; values are compared as they are in
effect, so that writing a default down is no change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_origin

from pgha.config.model import Cluster, Postgresql, Section
from pgha.config.text import is_secret, join, show

_GIVEN = "given"
"""The value of a section that may be left out."""

_FREE = ("postgresql.parameters.*", "backend.config.*")
"""Mappings whose keys a person chose: one may hold what must not be shown."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One key whose value differs. None is a key, an entry or a section that is not there.

    `pattern` is the path with `[]` for any entry of a list and `*` for any key of a mapping. An entry that comes or
    goes is a change of its name, and a section that may be left out one of the section itself; what is inside is not
    told again.
    """

    path: str
    pattern: str
    old: Any
    new: Any
    before: Cluster
    after: Cluster

    @property
    def entry(self) -> str:
        """Name of the database or user that this is about; "" elsewhere."""
        return self.path.partition("[")[2].rpartition("]")[0]

    @property
    def was(self) -> str:
        """The old value for people."""
        return self._shown(self.old)

    @property
    def becomes(self) -> str:
        """The new value for people."""
        return self._shown(self.new)

    def _shown(self, value: object) -> str:
        if value is None:
            return "not set"
        if self.pattern in _FREE and is_secret(self.path.rpartition(".")[2]):
            return "a value that is not shown"
        if isinstance(value, list | tuple):
            return ", ".join(show(item) for item in value) or "none"
        return show(value)


def patterns() -> list[str]:
    """Every key of the model in its order, and every section that may be left out."""
    return list(_patterns(Cluster, ""))


def changes(before: Cluster, after: Cluster) -> list[Change]:
    """Every key that differs, in the model's order."""
    old, new = dict(_flat(before, "", "")), dict(_flat(after, "", ""))
    order = {pattern: number for number, pattern in enumerate(patterns())}
    paths = sorted({**old, **new}, key=lambda path: order[(old.get(path) or new[path])[0]])
    gone = _wholes(old) ^ _wholes(new)
    found: list[Change] = []
    for path in paths:
        pattern = (old.get(path) or new[path])[0]
        one, other = (side[path][1] if path in side else None for side in (old, new))
        if one != other and not any(path.startswith(f"{whole}.") for whole in gone):
            found.append(Change(path=path, pattern=pattern, old=one, new=other, before=before, after=after))
    return found


def _wholes(side: Mapping[str, tuple[str, object]]) -> set[str]:
    """Sections that may be left out and entries of lists: what is inside comes and goes with them."""
    return {path for path, (pattern, value) in side.items() if value is _GIVEN or pattern.endswith("[].name")}


def _flat(section: Section, path: str, pattern: str) -> Iterator[tuple[str, tuple[str, Any]]]:
    for name, field in type(section).model_fields.items():
        key = field.alias or name
        value, at, like = getattr(section, name), join(path, key), join(pattern, key)
        match value:
            case None:
                pass
            case Section():
                if _is_optional(field.annotation):
                    yield at, (like, _GIVEN)
                yield from _flat(value, at, like)
            case dict():
                # 400 and "400", true and on are one to PostgreSQL.
                held = section.settings if isinstance(section, Postgresql) else value
                yield from ((join(at, str(word)), (f"{like}.*", each)) for word, each in held.items())
            case list() if _inside(field.annotation):
                for entry in value:
                    yield from _entry(entry, f"{at}[{entry.name}]", f"{like}[]")
            case _:
                yield at, (like, value)


def _entry(entry: Any, at: str, like: str) -> Iterator[tuple[str, tuple[str, Any]]]:  # noqa: ANN401 - Database or User
    """The name stands for the entry, so that a rename is one that goes and one that comes."""
    yield at, (f"{like}.name", entry.name)
    yield from ((below, held) for below, held in _flat(entry, at, like) if held[0] != f"{like}.name")


def _patterns(section: type[Section], path: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        at, inner = join(path, field.alias or name), _inside(field.annotation)
        origin = get_origin(field.annotation)
        if inner and origin is list:
            yield from _patterns(inner, f"{at}[]")
        elif inner:
            if _is_optional(field.annotation):
                yield at
            yield from _patterns(inner, at)
        else:
            yield f"{at}.*" if origin is dict else at


def _inside(annotation: object) -> type[Section] | None:
    """The section that a key holds, alone, optionally or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inside(part))), None)


def _is_optional(annotation: object) -> bool:
    return isinstance(annotation, UnionType) and type(None) in get_args(annotation)
