"""The heartbeat: a record in the write-ahead log every few seconds, without which an idle cluster may never heal.

A primary that died is rewound to the position where the new one would write next. That can lie behind a page header
that nobody has written yet: without another record the standby waits for it for ever (docs/explanation/failover.md).

`pg_log_standby_snapshot` (PostgreSQL 16) writes what the background writer writes anyway, and a record that counts as
unimportant: no checkpoint follows, and archive_timeout closes no segment for it, so an idle cluster archives nothing.
"""

from pgha.config.model import Cluster
from pgha.engines.cloudnative_pg.access import script
from pgha.engines.cloudnative_pg.client import client_pod
from pgha.resources.grants import quote
from pgha.resources.metadata import Object, labels, metadata

ROLE = "pgha_heartbeat"
_SECONDS = 5
# A primary whose node is gone says nothing more: it is given up after as long as a beat.
_CONNECTION = (
    "dbname=postgres application_name=pgha-heartbeat target_session_attrs=read-write connect_timeout=3 "
    f"tcp_user_timeout={_SECONDS * 1000}"
)
_FUNCTION = "pg_catalog.pg_log_standby_snapshot()"


def name(cluster: Cluster) -> str:
    """Of the role's object and of the Deployment."""
    return f"{cluster.name}-heartbeat"


def first_statements(cluster: Cluster) -> list[str]:
    """Run as the superuser in the database `postgres` when the cluster is new: it alone can allow the function."""
    if cluster.postgresql.major < 16:
        return []
    return [f"CREATE ROLE {quote(ROLE)} NOLOGIN", f"GRANT EXECUTE ON FUNCTION {_FUNCTION} TO {quote(ROLE)}"]


def hba() -> str:
    """The line that lets it in: by the certificate that the operator makes for it, and by nothing else."""
    return f"hostssl postgres {ROLE} all cert"


def statements() -> str:
    """For psql. Where the function is not there or not allowed, a message of our own, which is a transaction."""
    allowed = f"has_function_privilege(to_regprocedure('{_FUNCTION}'), 'EXECUTE')"
    return "\n".join(
        [
            f"SELECT coalesce({allowed}, false) AS quiet \\gset",
            "SET synchronous_commit = local;",
            "\\if :quiet",
            f"SELECT {_FUNCTION} \\watch {_SECONDS}",
            "\\else",
            f"SELECT pg_logical_emit_message(true, 'pgha', 'heartbeat') \\watch {_SECONDS}",
            "\\endif",
        ]
    )


def objects(cluster: Cluster) -> list[Object]:
    """The role, with a certificate for a password, and the Deployment."""
    role = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "DatabaseRole",
        "metadata": metadata(cluster, name(cluster)),
        "spec": {
            "cluster": {"name": cluster.name},
            "name": ROLE,
            "login": True,
            "disablePassword": True,
            "connectionLimit": 2,  # the old one's end may be noticed after the new one's beginning
            "clientCertificate": {"enabled": True},
        },
    }
    chosen = labels(cluster) | {"app.kubernetes.io/component": "heartbeat"}
    template = client_pod(
        cluster,
        labels=chosen,
        script=script("heartbeat.sh"),
        environment=[
            {"name": "PGUSER", "value": ROLE},
            {"name": "CONNECTION", "value": _CONNECTION},
            {"name": "SQL", "value": statements()},
        ],
        certificate=f"{name(cluster)}-client-cert",
    )
    template["spec"]["terminationGracePeriodSeconds"] = 1
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(cluster, name(cluster)),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": chosen},
            "template": template,
        },
    }
    return [role, deployment]
