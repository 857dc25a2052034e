"""The report's three files in a folder, and the one that was there before."""

import json
from pathlib import Path
from typing import Any

from pgha.config.problems import UserError
from pgha.verify.readings import Missing, unasked
from pgha.verify.report.junit import junit
from pgha.verify.report.page import page

JSON = "report.json"


def write(folder: Path, facts: dict[str, Any]) -> list[Path]:
    """Write index.html, report.json and junit.xml; returns their paths.

    Raises:
        UserError: The folder cannot be written.
    """
    texts = {"index.html": page(facts), JSON: json.dumps(facts, indent=1) + "\n", "junit.xml": junit(facts)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            new = folder / f".{name}.new"
            new.write_text(text)
            new.replace(folder / name)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}", "name another folder") from error
    return [folder / name for name in texts]


def before(folder: Path | None) -> dict[str, Any] | Missing:
    """The report that lies there already."""
    if folder is None:
        return unasked("--report DIR keeps a report to compare the next run with")
    path = folder / JSON
    if not path.is_file():
        return unasked(f"there was no earlier report in {folder}")
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return unasked(f"{path} is no report")
    return found
