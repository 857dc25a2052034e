"""Roles that log in: those with a password stand in the Cluster, those with a certificate are DatabaseRoles.

For a DatabaseRole the operator signs a certificate with the cluster's own client authority, keeps it in the Secret
`NAME-USER-client-cert` (tls.crt, tls.key) and renews it a week before its 90 days are over (v1.30:
internal/controller/databaserole_pki.go). Its key is in no Git, state or plan (docs/adr/0033).
"""

from pgha.config.model import CLIENT_CERTIFICATE, Cluster, User
from pgha.engines.base import Reader
from pgha.resources.metadata import Object, metadata

API_VERSION = "postgresql.cnpg.io/v1"


def by_password(cluster: Cluster) -> list[Object]:
    """Entries of `managed.roles`."""
    return [
        _attributes(user) | {"ensure": "present", "passwordSecret": {"name": cluster.secret_name(user)}}
        for user in cluster.users
        if user.authentication == "password"
    ]


def objects(cluster: Cluster) -> list[Object]:
    """A DatabaseRole per user with a certificate. Deleting one keeps the role, but its certificate goes."""
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "DatabaseRole",
            "metadata": metadata(cluster, cluster.secret_name(user).removesuffix(CLIENT_CERTIFICATE)),
            "spec": _attributes(user)
            | {
                "cluster": {"name": cluster.name},
                "disablePassword": True,
                "clientCertificate": {"enabled": True},
                "databaseRoleReclaimPolicy": "retain",
            },
        }
        for user in _certified(cluster)
    ]


def hba(cluster: Cluster) -> list[str]:
    """Certificate users from the listed networks, and by nothing else: the lines below these admit everybody."""
    lines: list[str] = []
    for user in _certified(cluster):
        name = f'"{user.name}"'  # quoted, or `all` would be everybody
        lines += [f"hostssl all {name} {network} cert" for network in cluster.network.networks]
        lines.append(f"host all {name} all reject")
    return lines


def waiting(cluster: Cluster, read: Reader) -> str | None:
    """The first role without its certificate, and why."""
    for obj in objects(cluster):
        live = read(API_VERSION, "DatabaseRole", cluster.namespace, obj["metadata"]["name"]) or {}
        status = live.get("status") or {}
        certificate = status.get("clientCertificate") or {}
        if not status.get("applied") or not certificate.get("expiration"):
            reason = status.get("message") or certificate.get("message") or "not made yet"
            return f"role {obj['spec']['name']}: {reason}"
    return None


def _certified(cluster: Cluster) -> list[User]:
    return [user for user in cluster.users if user.authentication == "cert"]


def _attributes(user: User) -> Object:
    return {
        "name": user.name,
        "login": True,
        "inherit": True,
        "superuser": user.superuser,
        "connectionLimit": user.connection_limit,
    }
