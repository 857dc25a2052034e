"""`pgha validate`: every fault of every cluster file at once, for people, programs and code review."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pgha.config import Problem, Report, check, discover, resolve
from pgha.config.codes import REGISTER
from pgha.config.files import FOLDER, SUFFIXES
from pgha.config.problems import UserError


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


Clusters = Annotated[
    list[str] | None,
    typer.Argument(metavar="CLUSTER", help="Names under clusters/, files or folders; default: clusters/."),
]
Output = Annotated[
    Format, typer.Option("--output", "-o", help="text; json for programs; sarif for code review systems.")
]


def run(clusters: Clusters = None, output: Output = Format.TEXT) -> None:
    """Find everything that is wrong with cluster files, with line, rule and remedy.

    Files named on the command line are also compared with those in clusters/. Warnings alone leave the exit code at 0.

    Example: pgha validate postgres-cluster --output json
    """
    root = _root()
    paths = [path for name in clusters or [] for path in _paths(name, root)] or discover(root)
    if not paths:
        raise UserError(f"there is no cluster file in {FOLDER}/", f"write one, such as {FOLDER}/postgres-cluster.yaml")
    reports = _reports(paths, root)
    typer.echo(_PRINT[output](reports))
    if any(report.errors for report in reports):
        raise typer.Exit(2)


def _root() -> Path:
    """The nearest folder, from here upwards, that holds clusters/; relative, so that messages stay short."""
    root = Path()
    for _ in Path.cwd().parents:
        if (root / FOLDER).is_dir():
            return root
        root = root / ".."
    return Path()


def _paths(name: str, root: Path) -> list[Path]:
    """A name under clusters/, a file, or every cluster file in a folder; a name may be a folder's too, and wins."""
    given = Path(name)
    is_name = "/" not in name and any((root / FOLDER / f"{name}{suffix}").is_file() for suffix in SUFFIXES)
    if is_name or not (given.is_dir() or given.is_file()):
        return [resolve(name, root)]
    if given.is_file():
        return [given]
    found = sorted(path for path in given.iterdir() if path.suffix in SUFFIXES)
    if not found:
        raise UserError(f"there is no cluster file in {name}/", "name a folder that holds some, or a file")
    return found


def _reports(paths: Sequence[Path], root: Path) -> list[Report]:
    """What is found in these files; the project's other files count only where they relate to them."""
    wanted = {path.resolve() for path in paths}
    others = [path for path in discover(root) if path.resolve() not in wanted] if _among(paths, root) else []
    reports = check([*others, *dict.fromkeys(paths)])
    return reports[len(others) :]


def _among(paths: Sequence[Path], root: Path) -> bool:
    return any(path.resolve().parent == (root / FOLDER).resolve() for path in paths)


def _text(reports: Sequence[Report]) -> str:
    lines = [f"{problem.severity}: {problem}" for report in reports for problem in report.problems]
    errors = sum(len(report.errors) for report in reports)
    warnings = sum(len(report.warnings) for report in reports)
    files = _count(len(reports), "file")
    if errors:
        summary = f"{files}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    else:
        summary = f"{files} valid" + (f", {_count(warnings, 'warning')}" if warnings else "")
    return "\n".join([*lines, summary])


def _json(reports: Sequence[Report]) -> str:
    found = [
        {
            "file": str(report.path),
            "valid": not report.errors,
            "problems": [
                {
                    "code": problem.code,
                    "severity": problem.severity,
                    "line": problem.line,
                    "column": problem.column,
                    "path": problem.path,
                    "rule": problem.rule,
                    "value": problem.value,
                    "remedy": problem.remedy,
                }
                for problem in report.problems
            ],
        }
        for report in reports
    ]
    return json.dumps({"valid": all(each["valid"] for each in found), "files": found}, indent=2, ensure_ascii=False)


def _sarif(reports: Sequence[Report]) -> str:
    problems = [problem for report in reports for problem in report.problems]
    ids = sorted({problem.code for problem in problems})
    rules = [
        {
            "id": id_,
            "shortDescription": {"text": f"must {REGISTER[id_].must}"},
            "fullDescription": {"text": " ".join(REGISTER[id_].why.split())},
            "help": {"text": REGISTER[id_].remedy},
            "defaultConfiguration": {"level": "error" if id_.startswith("PGHA-E") else "warning"},
        }
        for id_ in ids
    ]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "pgha", "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, ids) for problem in problems],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _result(problem: Problem, ids: Sequence[str]) -> dict[str, Any]:
    region = {"startLine": problem.line, "startColumn": problem.column}
    place = {"artifactLocation": {"uri": Path(problem.file).as_posix()}, "region": region}
    return {
        "ruleId": problem.code,
        "ruleIndex": ids.index(problem.code),
        "level": problem.severity,
        "message": {"text": problem.sentence},
        "locations": [{"physicalLocation": place}],
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_PRINT = {Format.TEXT: _text, Format.JSON: _json, Format.SARIF: _sarif}
