"""SQL that gives an application user its privileges on a database owned by somebody else."""

from pgha.config.model import Cluster, Database, User

_ON_DATABASE = ("CONNECT", "TEMPORARY", "CREATE")
_ON_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_OWNED = {
    "SCHEMA": ("%I", "nspname", "pg_namespace WHERE pg_get_userbyid(nspowner)"),
    "TABLE": (
        "%I.%I",
        "nspname, relname",
        "pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND pg_get_userbyid(relowner)",
    ),
    "SEQUENCE": (
        "%I.%I",
        "nspname, relname",
        "pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'S' AND pg_get_userbyid(relowner)",
    ),
    "ROUTINE": ("%s", "oid::regprocedure", "pg_proc WHERE pg_get_userbyid(proowner)"),
}
"""What privileges are given on: how format() writes its name, from which columns, and of what owner."""


def quote(identifier: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def guests(cluster: Cluster, database: Database) -> list[User]:
    """Users that may connect to a database without owning it."""
    return [user for user in cluster.users if database.name in user.databases and user.name != database.owner]


def close_to_public(database: Database) -> list[str]:
    """Only those who are named may connect; pg_monitor stays, for the metrics exporter."""
    name = quote(database.name)
    return [f"REVOKE ALL ON DATABASE {name} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {name} TO pg_monitor"]


def grants(database: Database, user: User) -> list[str]:
    """Statements to run inside the database before its owner makes the first table.

    Default privileges reach every schema, table, sequence and function that the owner will make. Whoever may
    write rows may also draw from their sequences, and whoever has a privilege on tables may enter their
    schemas.
    """
    to, owner = quote(user.name), quote(database.owner)
    always = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT"
    on_database = [privilege for privilege in _ON_DATABASE if privilege in user.privileges]
    on_tables = [privilege for privilege in _ON_TABLES if privilege in user.privileges]
    statements = []
    if on_database:
        statements.append(f"GRANT {', '.join(on_database)} ON DATABASE {quote(database.name)} TO {to}")
    if on_tables:
        statements.append(f"{always} {', '.join(on_tables)} ON TABLES TO {to}")
    if on_tables or "USAGE" in user.privileges:
        statements.append(f"{always} USAGE ON SCHEMAS TO {to}")
    if {"INSERT", "UPDATE", "USAGE"} & set(user.privileges):
        statements.append(f"{always} USAGE, SELECT ON SEQUENCES TO {to}")
    if "EXECUTE" in user.privileges:
        statements.append(f"{always} EXECUTE ON FUNCTIONS TO {to}")
    return statements


def grants_on_what_is_there(database: Database, user: User) -> list[str]:
    """Lines for psql: the same privileges on what the owner had made before the user came."""
    tables = [privilege for privilege in _ON_TABLES if privilege in user.privileges]
    to, owner = f"TO {quote(user.name)}", database.owner
    lines = []
    if tables or "USAGE" in user.privileges:
        lines.append(_for_each("SCHEMA", f"GRANT USAGE ON {to}", owner))
    if tables:
        lines.append(_for_each("TABLE", f"GRANT {', '.join(tables)} ON {to}", owner))
    if {"INSERT", "UPDATE", "USAGE"} & set(user.privileges):
        lines.append(_for_each("SEQUENCE", f"GRANT USAGE, SELECT ON {to}", owner))
    if "EXECUTE" in user.privileges:
        lines.append(_for_each("ROUTINE", f"GRANT EXECUTE ON {to}", owner))
    return lines


def revocations(database: Database, users: list[User]) -> list[str]:
    """Lines for psql that take everything back which the owner may have given these users."""
    if not users:
        return []
    names = ", ".join(quote(user.name) for user in users)
    always = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(database.owner)} REVOKE ALL ON"
    return [
        f"REVOKE ALL ON DATABASE {quote(database.name)} FROM {names};",
        *(f"{always} {what} FROM {names};" for what in ("TABLES", "SEQUENCES", "FUNCTIONS", "SCHEMAS")),
        *(_for_each(kind, f"REVOKE ALL ON FROM {names}", database.owner) for kind in _OWNED),
    ]


def _for_each(kind: str, statement: str, owner: str) -> str:
    """Run a GRANT or REVOKE, with the name after its ON, for everything of a kind that the owner owns."""
    pattern, names, source = _OWNED[kind]
    before, _, after = statement.partition(" ON ")
    filled = f"{_inside(before)} ON {kind} {pattern} {_inside(after)}"
    return f"SELECT format('{filled}', {names}) FROM {source} = {literal(owner)} \\gexec"  # noqa: S608


def _inside(text: str) -> str:
    """Text inside an SQL string, there inside a pattern of format()."""
    return text.replace("'", "''").replace("%", "%%")
