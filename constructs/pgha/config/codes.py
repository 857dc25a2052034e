"""The register of everything that can be wrong: the catalogue page, SARIF and the tests are made from it."""

from dataclasses import dataclass, replace

from pgha.config.problems import Problem
from pgha.config.text import printable


@dataclass(frozen=True, kw_only=True)
class Code:
    """One way to get a cluster file wrong.

    `must` completes the sentence `PATH must …`; `why` is a full explanation for the catalogue; `source` names the
    seed's section or the vendor's document that demands it.
    """

    id: str
    must: str
    remedy: str
    why: str
    source: str

    def at(self, path: str, got: str, *, must: str | None = None, remedy: str | None = None) -> Problem:
        """This code as a finding about `path`; `must` and `remedy` may be sharper than the general ones."""
        return Problem(
            code=self.id, path=path, rule=f"must {must or self.must}", value=got, remedy=remedy or self.remedy
        )


REGISTER: dict[str, Code] = {}
"""Every code by its id, in the order of registration."""


def register(id_: str, *, must: str, remedy: str, why: str, source: str) -> Code:
    """Add a code. Numbers are unique across errors and warnings, so that one can become the other."""
    number = id_[-3:]
    if any(known.endswith(number) for known in REGISTER):
        raise ValueError(f"{id_}: the number is taken")
    code = Code(id=id_, must=must, remedy=remedy, why=why, source=source)
    REGISTER[id_] = code
    return code


def located(problem: Problem, file: str, line: int, column: int) -> Problem:
    """The same problem with its place in the file, and with its path fit to be printed: a key may be any text."""
    return replace(problem, path=printable(problem.path), file=file, line=line, column=column)
