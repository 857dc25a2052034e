"""From files to clusters and findings: reading, shape, rules, and what relates several files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgha.config.codes import located
from pgha.config.model import Cluster
from pgha.config.problems import ConfigError, Problem, UserError
from pgha.config.reading import Document, Place, read
from pgha.config.rules import between, judge, quieten
from pgha.config.shape import shape

_ABOUT_KEYS = {"PGHA-E101", "PGHA-E107"}
"""Problems that point at the key, not at its value."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known about one file: its cluster unless there are errors, and every finding in the file's order."""

    path: Path
    cluster: Cluster | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What must be mended before the file can be used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Risks that the file does not silence."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


@dataclass
class _Draft:
    """A file on its way to a report; `whole` says that the cluster is the file's, not what was salvaged of it."""

    path: Path
    document: Document
    cluster: Cluster | None
    problems: list[Problem]

    @property
    def whole(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)

    def add(self, problem: Problem, place: Place | None = None) -> None:
        at = place or self.document.place(problem.path, key=problem.code in _ABOUT_KEYS)
        self.problems.append(located(problem, str(self.path), at.line, at.column))


def check(paths: Iterable[Path]) -> list[Report]:
    """Every finding about these files, each alone and between them, in the order given. Only a missing file raises.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    drafts = [_draft(Path(path), _bytes(Path(path))) for path in paths]
    sound = [(draft.path, draft.cluster) for draft in drafts if draft.cluster and draft.whole]
    by_path = {draft.path: draft for draft in drafts}
    for path, problem in between(sound):
        by_path[path].add(problem)
    return [_report(draft) for draft in drafts]


def load(path: Path) -> Cluster:
    """The cluster that a file describes.

    Raises:
        ConfigError: the file has errors; it carries every one of them.
        UserError: the file is missing or cannot be read.
    """
    return load_all([path])[0]


def load_text(raw: bytes, name: str) -> Cluster:
    """The cluster that a text describes, such as a file of another Git revision; `name` stands in messages.

    Raises:
        ConfigError: the text has errors; it carries every one of them.
    """
    report = _report(_draft(Path(name), raw))
    if report.cluster is None:
        raise ConfigError(report.errors)
    return report.cluster


def load_all(paths: Sequence[Path]) -> list[Cluster]:
    """The clusters of several files, which must get along with each other.

    Raises:
        ConfigError: a file has errors, or two files want the same thing.
        UserError: a file is missing or cannot be read.
    """
    reports = check(paths)
    errors = [problem for report in reports for problem in report.errors]
    if errors:
        raise ConfigError(errors)
    return [report.cluster for report in reports if report.cluster]


def _draft(path: Path, raw: bytes) -> _Draft:
    document, faults = read(raw)
    draft = _Draft(path, document, None, [])
    for problem, place in faults:
        draft.add(problem, place)
    if faults and not document.data:
        return draft
    cluster, problems, broken = shape(document)
    draft.cluster = cluster
    misread = {problem.path for problem, _ in faults}
    # A misreading of one value (012, a tag) breaks its type too; one sentence about it is enough.
    for problem in [problem for problem in problems if problem.path not in misread]:
        draft.add(problem)
    for problem in judge(cluster, broken | misread) if cluster else ():
        draft.add(problem)
    if cluster:
        draft.problems, about_silence = quieten(cluster, draft.problems)
        for problem in about_silence:
            draft.add(problem)
    return draft


def _report(draft: _Draft) -> Report:
    once: dict[tuple[str, str], Problem] = {}
    for problem in sorted(draft.problems, key=lambda problem: (problem.line, problem.column, problem.code)):
        once.setdefault((problem.path, problem.code + problem.rule), problem)
    return Report(path=draft.path, cluster=draft.cluster if draft.whole else None, problems=tuple(once.values()))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", "name one that exists") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{path} cannot be read: {reason.lower()}", "name a cluster file") from None
