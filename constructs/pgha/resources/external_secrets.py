"""External Secrets: objects by which its controller fills a Secret from AWS Secrets Manager.

API `external-secrets.io/v1`, the only version that the controller serves since 0.17; facts are from its source at
v0.20.4 and v2.9.0. No object holds a password: who may read them is the store's affair.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pgha.config.model import AwsSecretsManager, Cluster
from pgha.resources.metadata import Object, metadata

API_VERSION = "external-secrets.io/v1"

BROUGHT_BY = "the External Secrets Operator (its chart external-secrets, 0.17 or newer)"

ACCESS_KEYS = ("access-key-id", "secret-access-key")
"""Keys of the Secret that `accessKeysSecret` names."""


@dataclass(frozen=True, kw_only=True)
class ExternalSecret:
    """A Secret to be filled: `key` is the name of its entry, a JSON text with `username` and `password`."""

    name: str
    key: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Put on the Secret; not our own ones, by which an Argo CD before 3.0 would take it for its own."""


def objects(cluster: Cluster, wanted: Iterable[ExternalSecret]) -> list[Object]:
    """The store, where the file asks for it, and an ExternalSecret per Secret. Empty with another source."""
    aws = source(cluster)
    if aws is None:
        return []
    return [*_store(cluster, aws), *(_external_secret(cluster, aws, secret) for secret in wanted)]


def source(cluster: Cluster) -> AwsSecretsManager | None:
    """Where passwords come from, if from AWS Secrets Manager."""
    return cluster.credentials.aws_secrets_manager if cluster.credentials.source == "aws-secrets-manager" else None


def of_users(cluster: Cluster, labels: Mapping[str, str] | None = None) -> list[ExternalSecret]:
    """One per user with an entry; a user without has a Secret from elsewhere (`passwordSecret`)."""
    aws = source(cluster)
    return [
        ExternalSecret(name=cluster.secret_name(user), key=aws.user_keys[user.name], labels=labels or {})
        for user in cluster.users
        if aws is not None and user.name in aws.user_keys
    ]


def waiting(made: Iterable[Object], read: Callable[[str, str, str | None, str], Object | None]) -> str | None:
    """The first of these ExternalSecrets whose Secret is not filled yet, and why; None where all are."""
    for obj in made:
        if obj["kind"] == "ExternalSecret":
            meta = obj["metadata"]
            live = read(API_VERSION, "ExternalSecret", meta["namespace"], meta["name"])
            if reason := _trouble(live):
                return f"ExternalSecret {meta['name']}: {reason}"
    return None


def _trouble(live: Object | None) -> str | None:
    if live is None:
        return "it does not exist"
    found = {entry["type"]: entry for entry in (live.get("status") or {}).get("conditions") or []}
    ready = found.get("Ready")
    if ready is None:
        return "the External Secrets controller has not seen it yet"
    return None if ready["status"] == "True" else str(ready.get("message") or ready.get("reason"))


def _store(cluster: Cluster, aws: AwsSecretsManager) -> list[Object]:
    if not aws.create_store:
        return []
    provider: Object = {"service": "SecretsManager", "region": aws.region}
    # A store of the whole Kubernetes cluster has no namespace in which to look for what it names.
    where = {"namespace": cluster.namespace} if aws.store_kind == "ClusterSecretStore" else {}
    if aws.service_account:
        provider["auth"] = {"jwt": {"serviceAccountRef": {"name": aws.service_account} | where}}
    elif aws.access_keys_secret:
        refs = zip(("accessKeyIDSecretRef", "secretAccessKeySecretRef"), ACCESS_KEYS, strict=True)
        provider["auth"] = {
            "secretRef": {ref: {"name": aws.access_keys_secret, "key": key} | where for ref, key in refs}
        }
    spec: Object = {"provider": {"aws": provider}}
    meta = metadata(cluster, aws.store)
    if aws.store_kind == "ClusterSecretStore":
        del meta["namespace"]
        # It would hand out every entry that its identity may read to whoever can make an ExternalSecret anywhere.
        spec["conditions"] = [{"namespaces": [cluster.namespace]}]
    return [{"apiVersion": API_VERSION, "kind": aws.store_kind, "metadata": meta, "spec": spec}]


def _external_secret(cluster: Cluster, aws: AwsSecretsManager, secret: ExternalSecret) -> Object:
    """The user name comes from the entry too: a role that is pointed at another's entry is found out.

    `Retain` keeps the Secret when its entry vanishes from AWS. With a template of its own the Secret inherits none of
    this object's labels and annotations, by which Argo CD would take it for its own and prune it.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ExternalSecret",
        "metadata": metadata(cluster, secret.name),
        "spec": {
            "refreshInterval": aws.refresh_interval,
            "secretStoreRef": {"kind": aws.store_kind, "name": aws.store},
            "target": {
                "name": secret.name,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": {
                    "engineVersion": "v2",
                    "mergePolicy": "Replace",
                    "type": "kubernetes.io/basic-auth",
                    "data": {key: f"{{{{ .{key} }}}}" for key in ("username", "password")},
                }
                | ({"metadata": {"labels": dict(secret.labels)}} if secret.labels else {}),
            },
            "data": [
                {"secretKey": key, "remoteRef": {"key": secret.key, "property": key}}
                for key in ("username", "password")
            ],
        },
    }
