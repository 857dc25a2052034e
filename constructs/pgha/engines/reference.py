"""The page of effects, made from the engines' rules.

`python -m pgha.engines.reference` rewrites it under docs/reference/.
"""

import sys
from pathlib import Path

from pgha.config.changes import patterns
from pgha.engines import RULEBOOKS
from pgha.engines.effects import MEANING, Case

PAGE = Path("docs/reference/effects.md")

_HEAD = """# What a change does

Every key of the [cluster file](cluster-file.md), and what changing it does to a cluster that runs. `pgha explain`
answers for two files or two Git revisions; [the guide](../how-to/know-what-a-change-will-do.md) shows how. Made from
the rules in `constructs/pgha/engines/*/effects`; do not edit.

`[]` is any entry of a list, found by its name; `*` is any key of a mapping. Of the cases of a key the first that holds
is the answer.

| effect | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    text = _HEAD + "".join(f"| {level} | {meaning} |\n" for level, meaning in MEANING.items())
    for engine, book in RULEBOOKS.items():
        text += f"\n## Engine {engine}\n\n| key | when | effect | why |\n|---|---|---|---|\n"
        for key in patterns():
            text += "".join(_row("" if number else key, case) for number, case in enumerate(book.rules[key]))
        if book.together:
            text += "\nTogether:\n\n"
            text += "".join(f"- {' '.join((rule.__doc__ or '').split())}\n" for rule in book.together)
    return text


def write(root: Path) -> bool:
    """Write the page below `root`; returns whether it changed."""
    path, text = root / PAGE, page()
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def _row(key: str, case: Case) -> str:
    why = f"{case.reason}. Do: {case.remedy}" if case.remedy else case.reason
    cells = (f"`{key}`" if key else "", case.said, case.level, why)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |\n"


if __name__ == "__main__":
    if write(Path.cwd()):
        sys.stdout.write(f"wrote {PAGE}\n")
