"""What PostgreSQL knows of its parameters, version by version. The facts are data/parameters.json."""

import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

MAJORS = ("14", "15", "16", "17", "18")
"""Major versions whose parameters are known."""

_NUMBER = re.compile(
    r"\s*([+-]?(?:\d{1,18}(?:\.\d{0,9})?|\.\d{1,9})(?:[eE][+-]?\d{1,2})?)\s*([a-zA-Z]*)\s*\Z", re.ASCII
)
_MEMORY = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "16MB": 16 * 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME = {"us": 1, "ms": 1000, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_TRUTH = {"on", "off", "true", "false", "yes", "no", "1", "0", "t", "f", "y", "n", "tr", "fa", "of"}

RENAMED = {"sort_mem", "vacuum_mem", "force_parallel_mode", "ssl_ecdh_curve"}
"""Old names that PostgreSQL still maps to new ones (src/backend/utils/misc/guc.c, map_old_guc_names)."""

GONE = {
    "checkpoint_segments": ("9.5", "use max_wal_size (checkpoint_segments 32 is about max_wal_size 1GB)"),
    "wal_keep_segments": ("13", "use wal_keep_size (16MB per segment)"),
    "vacuum_cleanup_index_scale_factor": ("14", "delete it; it did nothing any more"),
    "operator_precedence_warning": ("14", "delete it"),
    "stats_temp_directory": ("15", "delete it; statistics live in shared memory now"),
    "vacuum_defer_cleanup_age": ("16", "use replication slots or hot_standby_feedback"),
    "promote_trigger_file": ("16", "delete it; promotion is the engine's"),
    "lc_collate": ("16", "set `collation` of the database"),
    "lc_ctype": ("16", "set `collation` of the database"),
    "old_snapshot_threshold": ("17", "use idle_in_transaction_session_timeout or transaction_timeout"),
    "db_user_namespace": ("17", "delete it"),
    "trace_recovery_messages": ("17", "delete it"),
    "default_with_oids": ("12", "delete it"),
    "replacement_sort_tuples": ("11", "delete it"),
    "max_fsm_pages": ("8.4", "delete it; the free space map grows by itself"),
    "standby_mode": ("12", "delete it; standbys are the engine's"),
}
"""Removed parameters: the release without them, and what to do (release notes of that version)."""


class Parameter(NamedTuple):
    """One parameter in one major version. `unit` is what a bare number counts: `8kB`, `ms`; "" for none."""

    name: str
    type: str
    context: str
    unit: str = ""
    default: str = ""
    min: str = ""
    max: str = ""
    values: tuple[str, ...] = ()

    @property
    def is_memory(self) -> bool:
        """Whether it is an amount of memory or disk."""
        return self.unit in _MEMORY

    def fault(self, text: str) -> str | None:
        """What the value must be, if PostgreSQL would refuse `text`."""
        if self.type == "bool":
            return None if text.lower() in _TRUTH else "be on or off"
        if self.type == "enum":
            # Words that PostgreSQL hides from its list: spellings of on and off, and `debug` among log levels.
            hidden = _TRUTH if {"on", "off"} & set(self.values) else set()
            known = {*self.values, *hidden, *(["debug"] if "debug1" in self.values else [])}
            return None if not self.values or text.lower() in known else f"be one of {', '.join(self.values)}"
        if self.type not in {"integer", "real"}:
            return None
        number = self.amount(text)
        if number is None:
            return f"be a number{self._units()}"
        if (self.min and number < Decimal(self.min)) or (self.max and number > Decimal(self.max)):
            return f"lie between {self.min} and {self.max}{f' (of {self.unit})' if self.unit else ''}"
        return None

    def amount(self, text: str) -> Decimal | None:
        """The value in the parameter's own unit; None where PostgreSQL could not read it."""
        match = _NUMBER.match(text)
        if not match:
            return None
        number, unit = Decimal(match[1]), match[2]
        scale = _MEMORY if self.is_memory else _TIME
        if not unit:
            return number
        if unit not in scale or self.unit not in scale or unit in {"8kB", "16MB"}:
            return None
        return number * scale[unit] / scale[self.unit]

    def bytes(self, text: str) -> Decimal | None:
        """The value in bytes, for an amount of memory."""
        number = self.amount(text)
        return None if number is None else number * _MEMORY[self.unit]

    def _units(self) -> str:
        if not self.unit:
            return ""
        return f", alone ({self.unit}) or with {'kB, MB, GB' if self.is_memory else 'ms, s, min, h, d'}"


@cache
def fixed(engine: str) -> frozenset[str]:
    """Parameters that an engine sets itself, in lower case; data/README.md says where they are from."""
    every: dict[str, list[str]] = json.loads(_data("fixed.json"))
    return frozenset(every[engine])


@cache
def parameters(major: str) -> dict[str, Parameter]:
    """Every parameter of a major version, by its name in lower case; empty for a version that is not known."""
    facts = _facts()
    known: dict[str, Parameter] = {}
    for name, every in facts.items():
        for entry in every:
            if major.isdigit() and int(major) in entry["majors"]:
                rest = {key: value for key, value in entry.items() if key not in {"majors", "values"}}
                known[name.lower()] = Parameter(name=name, values=tuple(entry.get("values", ())), **rest)
    return known


@cache
def _facts() -> dict[str, list[dict[str, Any]]]:
    facts: dict[str, list[dict[str, Any]]] = json.loads(_data("parameters.json"))
    return facts


def _data(name: str) -> str:
    return (Path(__file__).parent / "data" / name).read_text(encoding="utf-8")
