"""A run of `pgha verify` on the terminal: a line for each promise, what is broken with its remedy, the verdict last."""

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pgha.verify.registry import Result
from pgha.verify.running import Report

_MARKS = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "not applicable": "[dim]·[/]",
    "not measured": "[yellow]?[/]",
}


_WIDTH = 200
"""Where no terminal says how wide it is."""


def show(found: Report) -> None:
    """Print it."""
    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal else _WIDTH
    for each in found.results:
        shown = Text.from_markup(f"{_MARKS[each.status]} {each.check.id:<16} ")
        shown.append(f"{each.check.title}: {_first(each)}")
        shown.truncate(width, overflow="ellipsis")
        console.print(shown)
    for each in found.broken:
        console.print(f"\n[red]✗[/] {each.check.id} {escape(each.check.title)} [dim]({each.check.severity})[/]")
        for line in each.evidence:
            console.print(f"    {escape(line)}")
        console.print(f"    → {escape(each.remedy)}")
    for each in found.unread:
        console.print(f"\n[yellow]?[/] {each.check.id} could not be read: {escape(each.evidence[0])}")
    counts = ", ".join(f"{number} {status}" for status, number in found.counts.items() if number)
    console.print(f"\ncluster {found.cluster.name}: {_verdict(found)} ({counts}; {found.seconds:.1f} s)")


def _first(each: Result) -> str:
    more = f" (and {len(each.evidence) - 1} more)" if len(each.evidence) > 1 else ""
    return f"{each.evidence[0]}{more}" if each.evidence else ""


def _verdict(found: Report) -> str:
    if found.outcome == "broken":
        return f"broken: {', '.join(each.check.id for each in found.broken)}"
    return "kept" if found.outcome == "kept" else "nothing broken, but not all could be read"
