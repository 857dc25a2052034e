"""What a user can get wrong, as data and as exceptions.

Anything else that is raised is our bug and keeps its traceback.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding about one place in a cluster file.

    `code` is `PGHA-Ennn` (error) or `PGHA-Wnnn` (a risk that may be silenced by name); `line` and `column` count
    from 1.
    """

    code: str
    path: str
    rule: str
    value: str
    remedy: str
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def severity(self) -> Literal["error", "warning"]:
        """What the code's letter says."""
        return "warning" if self.code.startswith("PGHA-W") else "error"

    @property
    def sentence(self) -> str:
        """`path: rule, got value; remedy`, without the place."""
        return f"{self.path}: {self.rule}, got {self.value}; {self.remedy}"

    def __str__(self) -> str:
        """`file:line:column: CODE path: rule, got value; remedy`."""
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        return f"{where}{self.code} {self.sentence}"


class UserError(Exception):
    """Something the user must mend. The command line prints it without a traceback and exits with 2."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class ConfigError(UserError):
    """A cluster file that cannot be used, with every problem found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{count} in the cluster file", "mend them and run it again")
        self.problems = list(problems)

    def __str__(self) -> str:
        """The count, then every problem on a line of its own."""
        return "\n".join([f"{self.what}; {self.remedy}", *(f"  {problem}" for problem in self.problems)])
