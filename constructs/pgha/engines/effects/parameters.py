"""What PostgreSQL itself says about a parameter: can it change while the server runs.

The facts are `pg_settings.context` of real servers (`pgha.config.parameters`).
"""

from collections.abc import Callable, Mapping

from pgha.config.changes import Change
from pgha.config.parameters import Parameter, parameters

_SENSITIVE = {
    "max_connections",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
    "max_locks_per_transaction",
}
"""A standby refuses to go on with less than its primary (PostgreSQL: hot standby, administrator's overview)."""

_RESTART_IN_EXTENSIONS = {"pg_stat_statements.max"}
"""Extension parameters that take shared memory at the start; servers list them only with the library loaded."""


def name(change: Change) -> str:
    """The parameter's name in lower case."""
    return change.path.removeprefix("postgresql.parameters.").lower()


def facts(change: Change) -> Parameter | None:
    """What the server of the new version knows, or that of the old one."""
    for cluster in (change.after, change.before):
        if found := parameters(cluster.postgresql.version).get(name(change)):
            return found
    return None


def needs_restart(change: Change) -> bool:
    """Whether a running server cannot take the value up."""
    known = facts(change)
    return name(change) in _RESTART_IN_EXTENSIONS or bool(known and known.context == "postmaster")


def new_sessions_only(change: Change) -> bool:
    """Whether sessions that are open keep the old value."""
    known = facts(change)
    return bool(known and known.context in {"backend", "superuser-backend"})


def is_foreign(change: Change) -> bool:
    """Whether the parameter is an extension's, about which the server alone knows nothing."""
    return facts(change) is None and name(change) not in _RESTART_IN_EXTENSIONS


def same(defaults: Mapping[str, str]) -> Callable[[Change], bool]:
    """Whether the server reads both values as one; `defaults` are those that the engine sets."""

    def decide(change: Change) -> bool:
        known = facts(change)
        if known is None:
            return _text(change.old) == _text(change.new)
        one, other = (_effective(change, value, known, defaults) for value in (change.old, change.new))
        if not one or not other:
            return False
        if known.type in {"integer", "real"}:
            return known.amount(one) == known.amount(other) is not None
        return one.lower() == other.lower() if known.type in {"bool", "enum"} else one == other

    return decide


def falls(defaults: Mapping[str, str]) -> Callable[[Change], bool]:
    """Whether it is one that standbys must not have less of than the primary, and it falls."""

    def decide(change: Change) -> bool:
        known = facts(change)
        if known is None or name(change) not in _SENSITIVE:
            return False
        old, new = (known.amount(_effective(change, value, known, defaults)) for value in (change.old, change.new))
        return old is not None and new is not None and new < old

    return decide


def _effective(change: Change, value: object, known: Parameter, defaults: Mapping[str, str]) -> str:
    return defaults.get(name(change), known.default) if value is None else _text(value)


def _text(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
