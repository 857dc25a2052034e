"""Databases, users and what the ones may do in the others."""

import re

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import nearest

# PostgreSQL: "Character Set Support", those usable on the server.
_ENCODINGS = [
    "UTF8",
    "SQL_ASCII",
    "EUC_CN",
    "EUC_JIS_2004",
    "EUC_JP",
    "EUC_KR",
    "EUC_TW",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "MULE_INTERNAL",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
]
_COLLATION = re.compile(r"(?:C|POSIX|[a-z]{2,3}(?:_[A-Z]{2})?)(?:\.(?P<encoding>[A-Za-z0-9-]+))?(?:@[a-z]+)?\Z")


@rule(
    "PGHA-E301",
    must="be unique within the cluster",
    remedy="delete or rename one of the two",
    source="data-model: Database, database_name must be unique; Database User, username must be unique",
    reads=["databases", "users"],
)
def unique(cluster: Cluster) -> Findings:
    """A second entry of the same name would either fail or overrule the first."""
    for kind, names in (
        ("databases", [database.name for database in cluster.databases]),
        ("users", [user.name for user in cluster.users]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                yield finding(f"{kind}[{index}].name", f"{name}, as in {kind}[{names.index(name)}]")


@rule(
    "PGHA-E302",
    must="be one of the users",
    remedy="add the user, or name one of those in `users`",
    source="data-model: Database, owner must be an existing Database User; reliability: bad input 8",
    reads=["databases", "users"],
)
def owner(cluster: Cluster) -> Findings:
    """PostgreSQL cannot create a database for a role that does not exist."""
    names = [user.name for user in cluster.users]
    for index, database in enumerate(cluster.databases):
        if database.owner not in names:
            path = f"databases[{index}].owner" if cluster.sets("databases") else "users"
            near = nearest(database.owner, names)
            remedy = f"did you mean {near}?" if near else f"add `- name: {database.owner}` to users"
            yield finding(path, database.owner, must="name the owner of every database", remedy=remedy)


@rule(
    "PGHA-E303",
    must="be one of the databases",
    remedy="name one of those in `databases`",
    source="data-model: Database User, databases",
    reads=["databases", "users", "pooler"],
)
def known_database(cluster: Cluster) -> Findings:
    """A grant, or a pooler, for a database that does not exist would fail or do nothing."""
    names = [database.name for database in cluster.databases]
    asked = [
        (f"users[{index}].databases[{position}]", name)
        for index, user in enumerate(cluster.users)
        for position, name in enumerate(user.databases)
    ]
    if cluster.pooler:
        asked += [
            (f"pooler.perApplication[{index}]", name) for index, name in enumerate(cluster.pooler.per_application)
        ]
    for path, name in asked:
        if name not in names:
            near = nearest(name, names)
            yield finding(path, name, remedy=f"did you mean {near}?" if near else "add it to `databases`")


@rule(
    "PGHA-E304",
    must="be false",
    remedy="delete it; for administration see credentials.superuserAccess",
    source="data-model: Superuser must not be granted to application users",
    reads=["users"],
)
def superuser(cluster: Cluster) -> Findings:
    """A superuser passes every check, can read every file of the server, and can run programs on it."""
    for index, user in enumerate(cluster.users):
        if user.superuser:
            yield finding(f"users[{index}].superuser", user.superuser)


@rule(
    "PGHA-E305",
    must="be an encoding that PostgreSQL servers know",
    remedy="write UTF8",
    source="PostgreSQL: Character Set Support; reliability: bad input 10",
    reads=["databases"],
)
def encoding(cluster: Cluster) -> Findings:
    """Anything else stops the creation of the database."""
    for index, database in enumerate(cluster.databases):
        if database.encoding.upper().replace("-", "") not in {*_ENCODINGS, "UNICODE"}:
            near = nearest(database.encoding, _ENCODINGS)
            yield finding(
                f"databases[{index}].encoding",
                database.encoding,
                remedy=f"did you mean {near}?" if near else None,
            )


@rule(
    "PGHA-E306",
    must="be a locale of the encoding, such as en_US.UTF-8 or C",
    remedy="write en_US.UTF-8, or C for byte order",
    source="PostgreSQL: Locale Support; data-model: Database, collation; reliability: bad input 10",
    reads=["databases"],
)
def collation(cluster: Cluster) -> Findings:
    """PostgreSQL refuses a locale that is not installed or whose encoding differs from the database's."""
    for index, database in enumerate(cluster.databases):
        match = _COLLATION.match(database.collation)
        encoded = match["encoding"] if match else None
        unlike = encoded and _plain(encoded) != _plain(database.encoding)
        if not match or (unlike and database.encoding.upper() != "SQL_ASCII"):
            got = f"{database.collation} for {database.encoding}" if match else database.collation
            yield finding(f"databases[{index}].collation", got)


@rule(
    "PGHA-W307",
    must="own a database or be listed for one",
    remedy="add `databases`, or delete the user",
    source="data-model: Database User, databases",
    reads=["databases", "users"],
)
def idle_user(cluster: Cluster) -> Findings:
    """A role that can connect to nothing is a password that only an attacker has a use for."""
    owners = {database.owner for database in cluster.databases}
    for index, user in enumerate(cluster.users):
        if not user.databases and user.name not in owners:
            yield finding(f"users[{index}].name", f"{user.name} without any")


@rule(
    "PGHA-W308",
    must="include CONNECT where databases are listed",
    remedy="add CONNECT, or empty `databases`",
    source="data-model: Database User, privileges",
    reads=["users"],
)
def connect(cluster: Cluster) -> Findings:
    """Without CONNECT the user cannot open a session, so its other privileges are out of reach."""
    for index, user in enumerate(cluster.users):
        if user.databases and "CONNECT" not in user.privileges:
            yield finding(f"users[{index}].privileges", ", ".join(user.privileges) or user.privileges)


@rule(
    "PGHA-W309",
    must="be a limit that max_connections allows",
    remedy="lower it, or raise postgresql.parameters.max_connections",
    source="PostgreSQL: ALTER ROLE … CONNECTION LIMIT; postgresql-cluster-service: Connection limits per user",
    reads=["users", "postgresql"],
)
def connection_limit(cluster: Cluster) -> Findings:
    """A limit above what the server accepts at all limits nothing."""
    allowed = cluster.postgresql.settings.get("max_connections", "")
    for index, user in enumerate(cluster.users):
        if allowed.isascii() and allowed.isdigit() and user.connection_limit > int(allowed):
            yield finding(f"users[{index}].connectionLimit", f"{user.connection_limit} of {allowed}")


def _plain(name: str) -> str:
    return {"unicode": "utf8"}.get(plain := re.sub(r"[^a-z0-9]", "", name.lower()), plain)
