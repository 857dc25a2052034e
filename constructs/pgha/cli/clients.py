"""Connection strings to copy, for each kind of client. A password is never in one: the Secret's name is."""

import shlex
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from pgha.config.model import Cluster
from pgha.engines.base import Endpoint
from pgha.resources.credentials import Login

_TIMEOUTS: dict[str, str] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A server that vanishes without a word is noticed after 11 s: keepalives find it while a client waits for an answer,
tcp_user_timeout while it sends. With libpq's defaults either takes more than a quarter of an hour (measured).
"""


class Client(StrEnum):
    """What connects."""

    PSQL = "psql"
    JDBC = "jdbc"
    PSYCOPG = "psycopg"
    ENV = "env"


def strings(cluster: Cluster, end: Endpoint, way_in: Login, host: str) -> dict[str, str]:
    """By kind of client what to copy for this address and this user."""
    settings = {
        "host": host,
        "port": str(end.port),
        "dbname": way_in.database,
        "user": way_in.user,
        "sslmode": end.sslmode,
        **_TIMEOUTS,
        **({"target_session_attrs": "read-write"} if end.role == "read-write" and not end.pooled else {}),
    }
    secret = f"{cluster.namespace}/{way_in.secret}"
    fetch = f"kubectl -n {cluster.namespace} get secret {way_in.secret} -o jsonpath='{{.data.password}}' | base64 -d"
    return {
        Client.PSQL: f"PGPASSWORD=$({fetch}) psql {shlex.quote(_conninfo(settings))}",
        Client.JDBC: _jdbc(end, way_in, host),
        Client.PSYCOPG: f"psycopg.connect({_conninfo(settings)!r}, password=...)  # key password of Secret {secret}",
        Client.ENV: _environment(settings, secret),
    }


def _conninfo(settings: dict[str, str]) -> str:
    from psycopg.conninfo import make_conninfo

    parts: dict[str, Any] = dict(settings)
    return make_conninfo("", **parts)


def _jdbc(end: Endpoint, way_in: Login, host: str) -> str:
    options = {
        "user": way_in.user,
        "sslmode": end.sslmode,
        "connectTimeout": "5",
        "tcpKeepAlive": "true",
        # A transaction pooler gives a statement's plan to whoever has the connection next.
        **({"prepareThreshold": "0"} if end.pooled else {}),
        **({"targetServerType": "primary"} if end.role == "read-write" and not end.pooled else {}),
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return f"jdbc:postgresql://{host}:{end.port}/{quote(way_in.database, safe='')}?{query}"


def _environment(settings: dict[str, str], secret: str) -> str:
    """An environment file of libpq's own variables; it knows none for keepalives."""
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "dbname": "PGDATABASE",
        "user": "PGUSER",
        "sslmode": "PGSSLMODE",
        "connect_timeout": "PGCONNECT_TIMEOUT",
        "target_session_attrs": "PGTARGETSESSIONATTRS",
    }
    lines = [f"{names[key]}={value}" for key, value in settings.items() if key in names]
    return "\n".join([f"# PGPASSWORD: key password of Secret {secret}", *lines])
