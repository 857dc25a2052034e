"""The Secrets that the operator reads passwords from: made here, or filled by External Secrets."""

from pgha.config.model import Cluster
from pgha.engines.base import Reader
from pgha.resources import external_secrets
from pgha.resources.credentials import GeneratedSecret, basic_auth
from pgha.resources.external_secrets import ExternalSecret
from pgha.resources.metadata import Object

_RELOAD = {"cnpg.io/reload": "true"}  # a changed password is taken up without a restart


def superuser_secret(cluster: Cluster) -> str:
    """Name of the superuser's Secret: the operator's own choice, so that its manual holds."""
    return f"{cluster.name}-superuser"


def generated(cluster: Cluster) -> list[GeneratedSecret]:
    """Secrets with passwords to be made."""
    if external_secrets.source(cluster) is not None:
        return []
    found = [
        basic_auth(cluster, user.name, cluster.secret_name(user), extra_labels=_RELOAD)
        for user in cluster.users
        if user.authentication == "password"
    ]
    if cluster.credentials.superuser_access:
        found.append(basic_auth(cluster, "postgres", superuser_secret(cluster), extra_labels=_RELOAD))
    return found


def external(cluster: Cluster) -> list[Object]:
    """The store, where the file asks for it, and the ExternalSecrets."""
    wanted = external_secrets.of_users(cluster, _RELOAD)
    aws = external_secrets.source(cluster)
    if aws is not None and aws.superuser_key and cluster.credentials.superuser_access:
        wanted.append(ExternalSecret(name=superuser_secret(cluster), key=aws.superuser_key, labels=_RELOAD))
    return external_secrets.objects(cluster, wanted)


def waiting(cluster: Cluster, read: Reader) -> str | None:
    """The first Secret that External Secrets has not filled yet, and why."""
    return external_secrets.waiting(external(cluster), read)
