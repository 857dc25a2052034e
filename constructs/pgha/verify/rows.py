"""Writing on request: a schema of our own, rows that were acknowledged, and whether every instance has them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.resources.credentials import logins
from pgha.resources.grants import quote
from pgha.resources.metadata import Object
from pgha.verify import instances
from pgha.verify.readings import Missing, unasked, unread

_MARK = "made by pgha verify --write; safe to drop"
_REPLAY_SECONDS = 15.0
_DROP_SECONDS = 30.0
_POLL_SECONDS = 0.5

READ = "SELECT text FROM pgha_verify.load WHERE id = 1 + {n} * 7919 % 10000"
COMMIT = "UPDATE pgha_verify.load SET text = 'changed {n}' WHERE id = 1 + {n} * 7919 % 10000"
"""The stated load with --write: rows by their key, a fifth of the statements change one."""


@contextmanager
def schema(api: Api, cluster: Cluster, pods: list[Object], *, wanted: bool) -> Iterator[Missing | None]:
    """The schema, made with the first owner's rights and dropped at the end, whatever happens in between.

    Yields None where it is there, else why not.

    Raises:
        UserError: Somebody else's schema has that name, or ours could not be dropped.
    """
    if not wanted:
        yield unasked("it writes into a schema of its own, which only --write allows")
        return
    primary = _primary(api, cluster, pods)
    if primary is None:
        yield unread("no instance takes writes")
        return
    way = logins(cluster)[0]
    mark = instances.ask(api, cluster, primary, _WHOSE, way.database).strip()
    if mark not in {"", _MARK}:
        raise UserError(
            f"database {way.database} has a schema pgha_verify that this program did not make",
            "rename it, or run without --write",
        )
    drop = f"SET ROLE {quote(way.user)}; SET client_min_messages = error; DROP SCHEMA IF EXISTS pgha_verify CASCADE;"
    make = f"{drop} {_MAKE} COMMENT ON SCHEMA pgha_verify IS '{_MARK}';"
    try:
        instances.ask(api, cluster, primary, make, way.database)
        yield None
    finally:
        _remove(api, cluster, pods, primary, drop)


def _remove(api: Api, cluster: Cluster, pods: list[Object], primary: str, drop: str) -> None:
    """Ask until it is done: the clients that took every connection may only just be leaving."""
    database, deadline = logins(cluster)[0].database, time.monotonic() + _DROP_SECONDS
    while True:
        try:
            # The primary may be another one by now.
            instances.ask(api, cluster, _primary(api, cluster, pods) or primary, drop, database)
            return
        except ApiError as error:
            if time.monotonic() >= deadline:
                raise UserError(
                    f"the schema pgha_verify could not be dropped: {error.what}",
                    "run verify --write again; it is dropped",
                ) from error
        time.sleep(_POLL_SECONDS)


def survey(api: Api, cluster: Cluster, pods: list[Object], wrote: dict[str, Any]) -> dict[str, Any]:
    """By instance what of the acknowledged is not there, once it has caught up or has had its time.

    `acknowledged`: how many by origin; `missing`: by pod the numbers that are not found, or `error`.
    """
    database = logins(cluster)[0].database
    wanted = {(origin, number) for origin, facts in wrote.items() for number in facts["acknowledged"]}
    deadline = time.monotonic() + _REPLAY_SECONDS
    while True:
        found = instances.each(pods, lambda pod: _found(api, cluster, pod, database))
        lost = {} if isinstance(found, Missing) else {name: _lost(entry, wanted) for name, entry in found.items()}
        if not any(lost.values()) or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    return {
        "acknowledged": {origin: len(facts["acknowledged"]) for origin, facts in wrote.items()},
        "errors": [error for facts in wrote.values() for error in facts["errors"]],
        "missing": lost,
    }


def _found(api: Api, cluster: Cluster, pod: str, database: str) -> dict[str, Any]:
    if (
        instances.ask(api, cluster, pod, "SELECT to_regclass('pgha_verify.acknowledged') IS NULL", database).strip()
        == "t"
    ):
        return {"rows": []}  # a standby that does not follow has not even the table
    sql = "SELECT coalesce(json_agg(json_build_array(origin, n)), '[]') FROM pgha_verify.acknowledged"
    return {"rows": json.loads(instances.ask(api, cluster, pod, sql, database))}


def _lost(entry: dict[str, Any], wanted: set[tuple[str, int]]) -> list[Any]:
    if "error" in entry:
        return [entry["error"]]
    return sorted(wanted - {(origin, number) for origin, number in entry["rows"]})


def _primary(api: Api, cluster: Cluster, pods: list[Object]) -> str | None:
    """The instance that takes writes; None with none, or more than one."""

    def recovers(name: str) -> dict[str, Any]:
        return {"recovers": instances.ask(api, cluster, name, "SELECT pg_is_in_recovery()").strip() != "f"}

    found = instances.each(pods, recovers)
    if isinstance(found, Missing):
        return None
    writable = [name for name, entry in found.items() if entry.get("recovers") is False]
    return writable[0] if len(writable) == 1 else None


_WHOSE = "SELECT coalesce(obj_description(oid, 'pg_namespace'), 'none') FROM pg_namespace WHERE nspname = 'pgha_verify'"
_MAKE = """CREATE SCHEMA pgha_verify;
    CREATE TABLE pgha_verify.acknowledged (origin text, n int, PRIMARY KEY (origin, n));
    CREATE TABLE pgha_verify.load (id int PRIMARY KEY, text text);
    INSERT INTO pgha_verify.load SELECT n, 'row ' || n FROM generate_series(1, 10000) n;"""
