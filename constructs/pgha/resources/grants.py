"""SQL that gives an application user its privileges on a database owned by somebody else."""

from pgha.config.model import Cluster, Database, User

_ON_DATABASE = ("CONNECT", "TEMPORARY", "CREATE")
_ON_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def quote(identifier: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


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
