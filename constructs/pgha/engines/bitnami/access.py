"""Roles, databases and privileges: statements that may run any number of times, and the Job that runs them.

Not the chart's initdb scripts: those run at the very first start only, in silence when they fail, and a password in
the pod's environment would restart the database servers with every new user. The Job has the passwords from the
Secrets; its name holds what it makes, so that another file is another Job.
"""

import json
from importlib.resources import files

from pgha.config.model import Cluster, Database
from pgha.engines.bitnami import chart
from pgha.resources.grants import close_to_public, grants, grants_on_what_is_there, guests, literal, quote
from pgha.resources.metadata import Object, checksum, metadata
from pgha.resources.pods import RESTRICTED_CONTAINER, RESTRICTED_POD, job_labels, secret_variable, small

_FOLDER = "/pgha"
_WAIT_SECONDS = 600


def access(cluster: Cluster) -> list[Object]:
    """The ConfigMap with script and statements, and the Job."""
    return [_config_map(cluster), _job(cluster)]


def statements(cluster: Cluster) -> str:
    """What psql runs on the primary as the superuser. No password is in it: psql reads them from its environment."""
    lines = [
        "-- Written by pgha from the cluster file. It may run any number of times.",
        "-- A statement with a password in it must not end up in a log.",
        "SET log_statement = 'none';",
        "SET log_min_duration_statement = -1;",
        "SET log_min_error_statement = 'panic';",
        "SET pgaudit.log = 'none';",
        *_role(chart.MONITOR, None, "pg_monitor"),
        # The chart makes its user the owner of the database postgres and lets it make others.
        f"ALTER DATABASE postgres OWNER TO {chart.SUPERUSER};",
        "ALTER SCHEMA public OWNER TO pg_database_owner;",
        f"GRANT CONNECT ON DATABASE postgres TO {quote(chart.MONITOR)};",
    ]
    if cluster.backup is not None:
        # A policy for rows would make pg_dump leave some out, so it stops unless the role may pass by.
        lines += _role(chart.BACKUP, "PGHA_PASSWORD_BACKUP", "pg_read_all_data", "BYPASSRLS CONNECTION LIMIT 3")
    for index, user in enumerate(cluster.users):
        lines += _role(user.name, variable(index), None, f"CONNECTION LIMIT {user.connection_limit}")
    for database in cluster.databases:
        lines += _database(cluster, database)
    return "\n".join(lines) + "\n"


def variable(index: int) -> str:
    """The environment variable with the password of the file's user at this place."""
    return f"PGHA_PASSWORD_{index}"


def synchronous_standby_names(cluster: Cluster) -> str:
    """By name: `*` would count a base backup as a standby."""
    if cluster.replication.mode == "async":
        return ""
    names = ", ".join(quote(node) for node in chart.nodes(cluster))
    return f"ANY {cluster.replication.synchronous_standbys} ({names})"


def _role(name: str, password: str | None, member_of: str | None, attributes: str = "") -> list[str]:
    lines = [_unless(f"SELECT FROM pg_roles WHERE rolname = {literal(name)}", f"CREATE ROLE {quote(name)}")]
    if password:
        lines.append(f"\\getenv password {password}")
    least = "LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
    secret = " PASSWORD :'password'" if password else ""
    lines.append(f"ALTER ROLE {quote(name)} WITH {least}{' ' if attributes else ''}{attributes}{secret};")
    if member_of:
        lines.append(f"GRANT {member_of} TO {quote(name)};")
    return lines


def _database(cluster: Cluster, database: Database) -> list[str]:
    name, owner = quote(database.name), quote(database.owner)
    made = (
        f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING {literal(database.encoding)} "
        f"LC_COLLATE {literal(database.collation)} LC_CTYPE {literal(database.collation)}"
    )
    lines = [
        "\\connect postgres",
        _unless(f"SELECT FROM pg_database WHERE datname = {literal(database.name)}", made),
        f"ALTER DATABASE {name} OWNER TO {owner};",
        *(f"{statement};" for statement in close_to_public(database)),
    ]
    if cluster.backup is not None:
        lines.append(f"GRANT CONNECT ON DATABASE {name} TO {quote(chart.BACKUP)};")
    # The connection that \connect opens has none of the settings above; the statements below hold no password.
    lines.append(f"\\connect {name}")
    for user in guests(cluster, database):
        lines += [f"{statement};" for statement in grants(database, user)]
        lines += grants_on_what_is_there(database, user)
    return lines


def _config_map(cluster: Cluster) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(cluster, f"{cluster.name}-access"),
        "data": {"access.sh": script("access.sh"), "access.sql": statements(cluster)},
    }


def script(name: str) -> str:
    """The text of one of this engine's shell scripts."""
    return files("pgha.engines.bitnami.scripts").joinpath(name).read_text(encoding="utf-8")


def _job(cluster: Cluster) -> Object:
    environment = [
        {"name": "PGHOST", "value": ",".join(chart.hosts(cluster))},
        {"name": "PGUSER", "value": chart.SUPERUSER},
        secret_variable("PGPASSWORD", chart.credentials(cluster), "postgres-password"),
        {"name": "SQL", "value": f"{_FOLDER}/access.sql"},
        {"name": "NAMES", "value": synchronous_standby_names(cluster)},
        {"name": "WAIT", "value": str(_WAIT_SECONDS)},
    ]
    if cluster.backup is not None:
        environment.append(secret_variable("PGHA_PASSWORD_BACKUP", chart.credentials(cluster), "backup-password"))
    environment += [
        secret_variable(variable(index), cluster.secret_name(user), "password")
        for index, user in enumerate(cluster.users)
    ]
    template: Object = {
        "metadata": {"labels": job_labels(cluster)},
        "spec": {
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": False,
            "securityContext": dict(RESTRICTED_POD),
            "containers": [
                {
                    "name": "access",
                    "image": chart.image(cluster),
                    "command": ["/bin/sh", f"{_FOLDER}/access.sh"],
                    "env": environment,
                    "resources": small(),
                    "securityContext": dict(RESTRICTED_CONTAINER),
                    "volumeMounts": [
                        {"name": "access", "mountPath": _FOLDER, "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the shell's here-documents
                    ],
                }
            ],
            "volumes": [
                {"name": "access", "configMap": {"name": f"{cluster.name}-access"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    made = json.dumps([template, statements(cluster), script("access.sh"), cluster.credentials.revision])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(cluster, f"{cluster.name}-access-{checksum(made)}"),
        "spec": {"backoffLimit": 6, "template": template},
    }


def _unless(exists: str, statement: str) -> str:
    """Run a statement where a query finds nothing: for what has no IF NOT EXISTS, and for CREATE DATABASE no DO."""
    return f"SELECT {literal(statement)} WHERE NOT EXISTS ({exists}) \\gexec"
