"""The documentation is true: its commands run, and what it shows of their output appears."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from running_lab import ROOT, Database, clean_environment

pytestmark = pytest.mark.lab

NOT_HERE = {
    "make test": "it is what runs this",
    "make down": "test_zz_down.py runs it, last",
    "lab down": "the same",
    "lab up": "make up runs it",
}


@dataclass
class Command:
    """One `$ ` line and the output lines that the page shows below it."""

    words: str
    shown: list[str] = field(default_factory=list)


def commands(page: Path) -> list[Command]:
    found: list[Command] = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:].split("  #")[0].strip()))
            elif line.strip():
                found[-1].shown.append(line)
    return found


PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "lab/README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if commands(page)
]


def words(line: str) -> list[str]:
    """What must be the same in any run: the words of a line, any number standing for any other."""
    return re.sub(r"\d+(\.\d+)?", "0", line).split()


def shows(output: str, line: str) -> bool:
    """Whether the words of a shown line appear, in order, in some line of the output."""
    for actual in output.splitlines():
        remaining = iter(words(actual))
        if all(word in remaining for word in words(line)):
            return True
    return False


LONG = {"argocd.md", "back-up-and-restore.md"}
"""Pages that bring an extra up and make clusters of their own."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.long] * (page.name in LONG), id=str(page.relative_to(ROOT)))
        for page in PAGES
    ],
)
def test_commands_of(page: Path, whole: Database) -> None:
    steps = [command for command in commands(page) if command.words not in NOT_HERE]
    marks = [f"--- {number} ---" for number in range(len(steps))]
    script = "\n".join(f"echo '{mark}'\n{step.words}" for mark, step in zip(marks, steps, strict=True))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, text=True, check=False, timeout=1200,
        env=clean_environment() | {"PATH": f"{ROOT}/.venv/bin:{clean_environment()['PATH']}"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    outputs = re.split(r"^--- \d+ ---$", done.stdout, flags=re.MULTILINE)[1:]
    for step, output in zip(steps, outputs, strict=True):
        if step.words == "make up":  # the first run says more than the second
            output = whole.first_up.out if whole.first_up else None  # noqa: PLW2901
        if output is not None:
            missing = [line for line in step.shown if not shows(output, line)]
            assert not missing, f"{page.name} shows for `{step.words}` what did not appear: {missing}\nin:\n{output}"


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]), ids=str
)
def test_links_of(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not broken
