"""One connection to PostgreSQL: `python -m pgha.delivery.probe` reads a request and writes an answer.

It is a process because a client on the lab's LAN is one that runs in another network namespace. The request,
with its password, comes over standard input: neither arguments nor environment show it to other users of the
machine.

Request (JSON): host, port, dbname, user, password, connect_timeout (s), sslmode.
Answer (JSON): {"ok": true, "seconds": 0.02, "facts": {…}} or {"ok": false, "error": "…", "reached": false}.
"""

import json
import sys
import time
from typing import Any

import psycopg

QUERY = """
SELECT json_build_object(
    'server_version', current_setting('server_version'),
    'user', current_user,
    'database', current_database(),
    'server_address', host(inet_server_addr()),
    'tls', (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
    'transaction', pg_current_xact_id()::text
)
"""
"""Asking for a transaction id makes it a writing transaction: a standby refuses it. It needs no privilege and
leaves nothing.
"""

_KEYS = ("host", "port", "dbname", "user", "password", "connect_timeout", "sslmode")


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Connect, run the query, answer.

    A refusal by the server or the network is an answer, not an exception.
    """
    begun = time.monotonic()
    reached = False
    try:
        with psycopg.connect(**{key: request[key] for key in _KEYS if key in request}) as connection:
            reached = True
            row = connection.execute(QUERY).fetchone()
    except psycopg.Error as error:
        # A server that answers "no" was reached: psycopg has its SQLSTATE, or its words say FATAL.
        answered = reached or error.sqlstate is not None or "FATAL" in str(error)
        return {"ok": False, "error": " ".join(str(error).split()), "reached": answered}
    return {"ok": True, "seconds": round(time.monotonic() - begun, 3), "facts": row[0] if row else {}}


def main() -> None:
    """Read one request, write one answer; the exit code is 0 for any answer."""
    try:
        request = json.load(sys.stdin)
    except ValueError as error:
        sys.exit(f"probe: the request is not JSON: {error}")
    json.dump(probe(request), sys.stdout)


if __name__ == "__main__":
    main()
