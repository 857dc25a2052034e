"""The page: one file that needs no network, for a browser, a phone, or paper."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pgha.verify.report.charts import HEIGHT, WIDTH, curves, strips

_GROUPS = (
    ("SC-", "Success criteria"),
    ("FR-", "Functional requirements"),
    ("EDGE-", "Edge cases"),
    ("DM-", "Data model"),
    ("P-", "Principles"),
)


def page(facts: dict[str, Any]) -> str:
    """HTML of one run's facts (docs/reference/report.schema.json)."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = [
        (title, [each for each in facts["results"] if each["id"].startswith(prefix)]) for prefix, title in _GROUPS
    ]
    return environment.get_template("page.html.j2").render(
        facts=facts,
        groups=[(title, results) for title, results in groups if results],
        broken=[each for each in facts["results"] if each["status"] == "failed"],
        curves=curves(facts["measurements"]),
        strips=strips(facts["measurements"]),
        width=WIDTH,
        height=HEIGHT,
    )
