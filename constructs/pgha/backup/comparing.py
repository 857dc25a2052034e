"""What two servers hold, table by table: the number of rows, and one checksum over all of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pgha.backup.server import Server

_SESSION = ("SET timezone = 'UTC'", "SET statement_timeout = 0", "SET search_path = pg_catalog")

_DATABASES = """
SELECT json_build_object(
    'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn AND NOT datistemplate),
    'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'))
"""

_TABLES = """
SELECT coalesce(
    json_object_agg(name, json_build_array(xpath('//c/text()', counted), xpath('//h/text()', counted))), '{}')
FROM (
    SELECT format('%s.%s', nspname, relname) AS name,
        query_to_xml(format(
            'SELECT count(*) AS c, coalesce(sum(hashtextextended(t::text, 0)), 0) AS h FROM ONLY %I.%I t',
            nspname, relname), false, false, '') AS counted
    FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND relispopulated
        AND nspname <> 'information_schema' AND nspname !~ '^pg_'
) AS tables
"""
"""One statement, so one snapshot. The sum does not hang on the order of rows; unlogged tables are not in backups."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that was read. Tables are `database schema.table` → (rows, checksum)."""

    roles: frozenset[str]
    databases: frozenset[str]
    tables: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How the contents of a restored server stand to the original's, before and after it was restored."""

    equal: int
    changing: int
    """Tables whose original changed meanwhile: they were read to their end, and prove nothing more."""
    rows: int
    differences: tuple[str, ...]


def contents(server: Server, *, timeout: float) -> Contents:
    """Read every row of every table. PostgreSQL verifies the checksum of each page that it reads.

    Raises:
        UserError: The server cannot be asked, or a table cannot be read to its end.
    """
    whole = json.loads(server.ask(_DATABASES))
    tables: dict[str, tuple[int, str]] = {}
    for database in whole["databases"]:
        printed = server.ask(*_SESSION, _TABLES, database=database, timeout=timeout)
        for name, ((rows,), (checksum,)) in json.loads(printed.splitlines()[-1]).items():
            tables[f"{database} {name}"] = int(rows), str(checksum)
    return Contents(roles=frozenset(whole["roles"]), databases=frozenset(whole["databases"]), tables=tables)


def compare(before: Contents, restored: Contents, after: Contents) -> Comparison:
    """A table that was the same before and after the restore must be the same in what was restored."""
    differences = [
        *(f"database {name} is missing" for name in sorted((before.databases & after.databases) - restored.databases)),
        *(f"role {name} is missing" for name in sorted((before.roles & after.roles) - restored.roles)),
    ]
    equal = changing = 0
    for name in sorted(before.tables.keys() | restored.tables.keys() | after.tables.keys()):
        first, found, last = (side.tables.get(name) for side in (before, restored, after))
        if first != last:
            changing += 1
        elif found == first:
            equal += 1
        else:
            differences.append(f"table {name}: {_said(found)} restored, {_said(first)} in the original")
    rows = sum(rows for rows, _ in restored.tables.values())
    return Comparison(equal=equal, changing=changing, rows=rows, differences=tuple(differences))


def _said(found: tuple[int, str] | None) -> str:
    return "no table" if found is None else f"{found[0]} rows with checksum {found[1]}"
