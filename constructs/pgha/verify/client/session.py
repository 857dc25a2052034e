"""One connection to PostgreSQL, and what a refusal says."""

import os
import time
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

CONNECT_SECONDS = 10.0
"""How long a connection may take: longer than any limit that is checked, so that a slow one is measured."""

Refused = (DatabaseError, InterfaceError, OSError)
"""What a failed connection or statement raises."""

Address = dict[str, Any]
"""host, port, tls ("require", "prefer" or "disable")."""

_TLS = {"require": True, "prefer": None, "disable": False}


def connect(address: Address, login: dict[str, Any], *, password: str | None = None) -> Connection:
    """Connect as a login (user, database, password or the environment variable that holds it)."""
    return Connection(
        login["user"],
        host=address["host"],
        port=address["port"],
        database=login["database"],
        password=password if password is not None else secret(login),
        ssl_context=_TLS[address.get("tls", "prefer")],
        timeout=CONNECT_SECONDS,
        application_name="pgha-verify",
    )


def secret(login: dict[str, Any]) -> str:
    """The login's password: in a pod it is in the environment, and nowhere in the request.

    Raises:
        InterfaceError: Its Secret holds none.
    """
    found = login["password"] if "password" in login else os.environ.get(login["variable"])
    if found is None:
        raise InterfaceError("its Secret is not there, or holds no password")
    return str(found)


def timed(address: Address, login: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Seconds until a connection has answered its first query, and what it answered."""
    begun = time.monotonic()
    with connect(address, login) as connection:
        row = connection.run(
            "SELECT pg_is_in_recovery(), host(inet_server_addr()), current_user::text, current_database()::text,"
            " current_setting('server_version'),"
            " coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()), 'none')"
        )[0]
        seconds = time.monotonic() - begun
    names = ("in_recovery", "server", "user", "database", "version", "tls")
    return seconds, dict(zip(names, row, strict=True))


def refusal(error: BaseException) -> dict[str, Any]:
    """An error as facts: `sqlstate` is None where no server answered."""
    told = error.args[0] if error.args else ""
    if isinstance(told, dict):
        return {"error": str(told.get("M", "")), "sqlstate": told.get("C")}
    cause = error.__cause__ or error
    if isinstance(cause, OSError):
        return {"error": f"no connection: {cause.strerror or cause}", "sqlstate": None}
    return {"error": " ".join(str(told).split()) or type(error).__name__, "sqlstate": None}
