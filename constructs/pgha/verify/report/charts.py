"""Measurements as coordinates of small drawings; the page's template draws them."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log10
from typing import Any

WIDTH, HEIGHT = 640.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 12.0, 12.0, 30.0
_ROW = 26.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve: SVG points, and what it is called."""

    name: str
    points: str
    p95: float
    """Milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Latency by percentile: along x the share of statements, along y milliseconds, by powers of ten."""

    lines: list[Line]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    limit: float
    """Where the line of 100 ms is."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The connections to one address: where each dot stands."""

    name: str
    y: float
    dots: list[float]
    slowest: float
    """Seconds; 0 where none succeeded."""
    error: str


@dataclass(frozen=True, kw_only=True)
class Strips:
    """Connection times: a row for each address, along x seconds, by powers of ten."""

    rows: list[Row]
    height: float
    x_ticks: list[Tick]
    limit: float
    """Where the line of 5 s is."""


def curves(measurements: dict[str, Any]) -> Curves | None:
    """Every load that was run; None where none was."""
    found = list(_loads(measurements))
    if not found:
        return None
    low, top = 0.1, max(200.0, *(values[-1] for _, values in found)) * 1.1

    def y(value: float) -> float:
        share = (log10(max(value, low)) - log10(low)) / (log10(top) - log10(low))
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def x(share: float) -> float:
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    lines = [
        Line(
            name=name,
            points=" ".join(f"{x(number / 100)},{y(_at(values, number / 100))}" for number in range(101)),
            p95=_at(values, 0.95),
        )
        for name, values in found
    ]
    return Curves(
        lines=lines,
        y_ticks=[Tick(at=y(value), text=f"{value:g} ms") for value in (0.1, 1, 10, 100, 1000, 10000) if value <= top],
        x_ticks=[Tick(at=x(share), text=f"p{share * 100:.0f}") for share in (0, 0.25, 0.5, 0.75, 0.95)],
        limit=y(100),
    )


def _loads(measurements: dict[str, Any]) -> Iterator[tuple[str, list[float]]]:
    for vantage, steps in sorted(measurements.items()):
        where = "the LAN" if vantage == "lan" else "a pod"
        mixed = steps.get("mixed") or {}
        if mixed.get("milliseconds"):
            yield f"mixed load from {where}", mixed["milliseconds"]
        for key, count in (("few", 10), ("many", 100)):
            load = (steps.get("hundred") or {}).get(key) or {}
            if load.get("milliseconds"):
                yield f"reads over {count} connections from {where}", load["milliseconds"]


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def strips(measurements: dict[str, Any]) -> Strips | None:
    """Every address that was tried; None where none was."""
    low, high = 0.001, 10.0

    def x(seconds: float) -> float:
        share = (log10(min(max(seconds, low), high)) - log10(low)) / (log10(high) - log10(low))
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    rows: list[Row] = []
    for vantage, steps in sorted(measurements.items()):
        for end in (steps.get("connections") or {}).get("endpoints") or []:
            where = "LAN" if vantage == "lan" else "pod"
            rows.append(
                Row(
                    name=f"{end['host']} ({where})",
                    y=_TOP + len(rows) * _ROW + _ROW,
                    dots=[x(seconds) for seconds in end["seconds"]],
                    slowest=max(end["seconds"], default=0.0),
                    error=end["errors"][0]["error"] if end["errors"] else "",
                )
            )
    if not rows:
        return None
    ticks = [(0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (5.0, "5 s")]
    return Strips(
        rows=rows,
        height=_TOP + len(rows) * _ROW + _BOTTOM + 8,
        x_ticks=[Tick(at=x(seconds), text=text) for seconds, text in ticks],
        limit=x(5.0),
    )
