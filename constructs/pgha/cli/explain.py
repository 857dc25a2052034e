"""`pgha explain`: what a change of a cluster file does to the running cluster, before it is applied."""

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pgha.cli.revisions import load_at
from pgha.config import Cluster, UserError, load, resolve
from pgha.engines import explain
from pgha.engines.effects import Effect, Level, worst


class Format(StrEnum):
    """How effects are printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


_WORKING_TREE = "the working tree"

Old = Annotated[
    str, typer.Argument(metavar="OLD", help="A cluster file, or with one argument a CLUSTER of this project.")
]
New = Annotated[str | None, typer.Argument(metavar="[NEW]", help="The file that it becomes.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="REV", help="Git revision of the old state; default: HEAD.")
]
To = Annotated[
    str | None, typer.Option("--to", metavar="REV", help="Git revision of the new state; default: the file as it is.")
]
Output = Annotated[Format, typer.Option("--output", "-o", help="text; json for programs; markdown for a pull request.")]


def run(old: Old, new: New = None, from_: From = None, to: To = None, output: Output = Format.TEXT) -> None:
    """Say what a change does to the running cluster, the worst first.

    With two files, from the one to the other; with one, from a Git revision of it (HEAD) to the file as it is.
    Exits with 0, or with 1 where something is refused because it cannot be done to a running cluster.

    Example: pgha explain postgres-cluster --from main --output markdown
    """
    before, after, title = _files(old, new, from_, to) if new else _revisions(old, from_, to)
    effects = explain(before, after)
    typer.echo(_PRINT[output](after, title, effects))
    if any(effect.level is Level.REFUSED for effect in effects):
        raise typer.Exit(1)


def _files(old: str, new: str, from_: str | None, to: str | None) -> tuple[Cluster, Cluster, str]:
    if from_ or to:
        raise UserError("two files have no revisions", "name one CLUSTER with --from and --to, or two files without")
    one, other = _path(old), _path(new)
    return load(one), load(other), f"{one} → {other}"


def _revisions(name: str, from_: str | None, to: str | None) -> tuple[Cluster, Cluster, str]:
    path = _path(name)
    before = load_at(from_ or "HEAD", path)
    after = load_at(to, path) if to else load(path)
    return before, after, f"{path}, {from_ or 'HEAD'} → {to or _WORKING_TREE}"


def _path(name: str) -> Path:
    return Path(name) if Path(name).is_file() else resolve(name)


def _summary(effects: Sequence[Effect]) -> str:
    if not effects:
        return "nothing changes"
    count = "1 change" if len(effects) == 1 else f"{len(effects)} changes"
    return f"{count}, at worst: {worst(effects)}"


def _text(cluster: Cluster, title: str, effects: Sequence[Effect]) -> str:
    lines = [f"{cluster.name} ({title}): {_summary(effects)}"]
    width = max(len(level) for level in Level) + 2
    indent = " " * width
    for effect in effects:
        lines += ["", f"{effect.level:<{width}}{effect.path}: {effect.old} → {effect.new}", f"{indent}{effect.reason}"]
        if effect.remedy:
            lines.append(f"{indent}do: {effect.remedy}")
        if effect.objects:
            lines.append(f"{indent}touches: {', '.join(effect.objects)}")
    return "\n".join(lines)


def _json(cluster: Cluster, _title: str, effects: Sequence[Effect]) -> str:
    facts = {
        "cluster": cluster.name,
        "worst": worst(effects),
        "effects": [
            {
                "path": effect.path,
                "level": effect.level,
                "old": effect.old,
                "new": effect.new,
                "reason": effect.reason,
                "remedy": effect.remedy,
                "objects": effect.objects,
            }
            for effect in effects
        ],
    }
    return json.dumps(facts, indent=2, ensure_ascii=False)


def markdown(cluster: Cluster, title: str, effects: Sequence[Effect]) -> str:
    """A heading, and a table with a row for each effect."""
    lines = [f"### {cell(cluster.name)}: {_summary(effects)}", "", cell(title)]
    if effects:
        lines += ["", "| effect | key | old | new | why | touches |", "|---|---|---|---|---|---|"]
    for effect in effects:
        why = f"{effect.reason}. **Do:** {effect.remedy}" if effect.remedy else effect.reason
        cells = [effect.level, code(effect.path), code(effect.old), code(effect.new), cell(why)]
        cells.append("<br>".join(code(name) for name in effect.objects))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that stays inside its cell, and that no reader takes for markup or a mention."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def code(text: str) -> str:
    """Verbatim text in a cell, fenced by more backticks than it holds in a row."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padding = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", "\\|").replace("\n", " ")


_PRINT = {Format.TEXT: _text, Format.JSON: _json, Format.MARKDOWN: markdown}
