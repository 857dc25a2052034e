"""AWS Secrets Manager: the store, as whom it asks, and the names of the entries."""

import re

from pgha.config.model import AwsSecretsManager, Cluster
from pgha.config.rules.registry import Findings, finding, rule

_AWS = "credentials.awsSecretsManager"
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}\Z")
_ENTRY = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}\Z")
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,512}\Z")


def _used(cluster: Cluster) -> AwsSecretsManager | None:
    credentials = cluster.credentials
    return credentials.aws_secrets_manager if credentials.source == "aws-secrets-manager" else None


def _entries(aws: AwsSecretsManager) -> dict[str, str]:
    """Path → name of the entry."""
    found = {f"{_AWS}.userKeys.{user}": key for user, key in aws.user_keys.items()}
    return found | ({f"{_AWS}.superuserKey": aws.superuser_key} if aws.superuser_key is not None else {})


@rule(
    "PGHA-E808",
    must="stand only beside createStore: true, and one of the two",
    remedy="delete it, or write createStore: true",
    source="External Secrets: AWS authentication",
    reads=["credentials"],
)
def store_identity(cluster: Cluster) -> Findings:
    """Whoever made an existing store has said there as whom it asks."""
    aws = _used(cluster)
    if aws is None:
        return
    given = {
        key: value
        for key, value in (("serviceAccount", aws.service_account), ("accessKeysSecret", aws.access_keys_secret))
        if value is not None
    }
    for key, value in given.items():
        if not aws.create_store:
            yield finding(f"{_AWS}.{key}", f"{value} without createStore")
    if aws.create_store and len(given) == 2:
        yield finding(
            f"{_AWS}.accessKeysSecret",
            f"{aws.access_keys_secret} beside serviceAccount",
            remedy="delete the access keys: a role needs none",
        )


@rule(
    "PGHA-E809",
    must="be the name or the ARN of an entry",
    remedy="write it as AWS shows it, for example postgres/app-credentials",
    source="AWS Secrets Manager: CreateSecret, Name",
    reads=["credentials"],
)
def entry_names(cluster: Cluster) -> Findings:
    """AWS has no entry of such a name, so the Secret would never be filled."""
    aws = _used(cluster)
    for path, key in (_entries(aws) if aws else {}).items():
        if not _ENTRY.match(key) and not _ARN.match(key):
            yield finding(path, key)


@rule(
    "PGHA-E810",
    must="be the entry of one role",
    remedy="give each role an entry of its own",
    source="postgresql-cluster-service: Using AWS Secrets Manager; CloudNativePG: username of a role's Secret",
    reads=["credentials"],
)
def shared_entries(cluster: Cluster) -> Findings:
    """An entry holds one `username`, and the operator refuses a Secret whose user name is not the role's."""
    aws = _used(cluster)
    owners: dict[str, str] = {}
    for path, key in (_entries(aws) if aws else {}).items():
        owner = owners.setdefault(key, path)
        if owner != path:
            yield finding(path, f"{key}, as under {owner.removeprefix(f'{_AWS}.')}")


@rule(
    "PGHA-E817",
    must="be a region such as eu-west-1",
    remedy="write the region's code, not its name",
    source="External Secrets: validation of the AWS provider",
    reads=["credentials"],
)
def region(cluster: Cluster) -> Findings:
    """External Secrets refuses a store of a region that AWS does not have."""
    aws = _used(cluster)
    if aws and not _REGION.match(aws.region):
        yield finding(f"{_AWS}.region", aws.region)
