"""Extensions that the servers load: a parameter named after one makes the operator do it.

It then also makes the extension in every database, but looks only when the list of extensions changes
(`reconcileDatabases` in internal/management/controller/instance_controller.go): a database that comes later says what
it needs itself.
"""

from pgha.config.model import Cluster

_AUDIT = {"pgaudit.log": "ddl, role"}
"""Who made, altered or dropped what, and who was given or denied which right: not every row that is read or written.
The file's own pgaudit parameters win."""

_MADE = ("pgaudit", "pg_stat_statements")
"""Those of the operator's managed extensions that have SQL objects (`ManagedExtensions` in
pkg/postgres/configuration.go)."""


def parameters(cluster: Cluster) -> dict[str, str]:
    """The file's parameters, and what the audit log adds."""
    return (_AUDIT if cluster.postgresql.audit else {}) | cluster.postgresql.settings


def extensions(cluster: Cluster) -> list[str]:
    """Names of the extensions that every database gets."""
    return [name for name in _MADE if any(key.startswith(f"{name}.") for key in parameters(cluster))]
