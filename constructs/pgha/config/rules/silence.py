"""Warnings that a file declares known and accepted."""

from pgha.config.codes import REGISTER, register
from pgha.config.model import Cluster
from pgha.config.problems import Problem
from pgha.config.text import nearest, show

_UNKNOWN = register(
    "PGHA-E108",
    must="name a warning",
    remedy="docs/reference/problems.md lists every code",
    why="Only a warning can be silenced: with an error there is nothing that could be applied.",
    source="pgha",
)
_UNUSED = register(
    "PGHA-W109",
    must="silence only warnings that the file gives",
    remedy="delete the code from `silence`",
    why="A code that stays behind would hide the next fault of its kind. This warning itself cannot be silenced.",
    source="pgha",
)


def quieten(cluster: Cluster, problems: list[Problem]) -> tuple[list[Problem], list[Problem]]:
    """The problems without the silenced warnings, and what is wrong about the silencing itself."""
    given = {problem.code for problem in problems}
    whole = all(problem.severity == "warning" for problem in problems)
    kept = [problem for problem in problems if problem.severity == "error" or problem.code not in cluster.silence]
    own: list[Problem] = []
    for index, code in enumerate(cluster.silence):
        path = f"silence[{index}]"
        if code not in REGISTER or REGISTER[code].id.startswith("PGHA-E"):
            near = nearest(code, (known for known in REGISTER if known.startswith("PGHA-W")))
            remedy = "mend it: an error cannot be silenced" if code in REGISTER else None
            if near and code not in REGISTER:
                remedy = f"did you mean {near}?"
            own.append(_UNKNOWN.at(path, show(code), remedy=remedy))
        elif whole and code not in given and not code.startswith("PGHA-W9"):
            # With errors some rules did not run, and those between files are not known here.
            own.append(_UNUSED.at(path, code))
    return kept, own
