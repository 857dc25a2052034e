"""Where passwords come from, and that none is in the file."""

import re
from collections.abc import Iterator

from pgha.config.model import Cluster, Section
from pgha.config.rules.registry import Finding, Findings, finding, rule
from pgha.config.text import holds_userinfo, is_secret, join

_HIDDEN = "a value that is not shown"
_AWS = "credentials.awsSecretsManager"
_PROMETHEUS = re.compile(
    r"(?=.)(?:\d{1,6}y)?(?:\d{1,6}w)?(?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m)?(?:\d{1,6}s)?(?:\d{1,6}ms)?\Z"
)
_GO = re.compile(r"(?:\d{1,6}(?:\.\d{1,6})?(?:h|m|s))+\Z", re.ASCII)


@rule(
    "PGHA-E801",
    must="be described under awsSecretsManager",
    remedy="add credentials.awsSecretsManager with userKeys",
    source="postgresql-cluster-service: Using AWS Secrets Manager",
    reads=["credentials"],
)
def store_described(cluster: Cluster) -> Findings:
    """External Secrets must know which store to ask and under which names."""
    if cluster.credentials.source == "aws-secrets-manager" and cluster.credentials.aws_secrets_manager is None:
        yield finding("credentials.source", cluster.credentials.source)


@rule(
    "PGHA-W802",
    must="stand only beside the source that uses it",
    remedy="delete it, or change credentials.source",
    source="pgha",
    reads=["credentials", "engine"],
)
def unused_source(cluster: Cluster) -> Findings:
    """The key does nothing with this source."""
    credentials = cluster.credentials
    if credentials.source == "generated" and credentials.aws_secrets_manager is not None:
        yield finding(_AWS, "it with source generated")
    # The chart's programs read a password when they start: there it says when they take what is new in AWS.
    external = credentials.source == "aws-secrets-manager"
    if external and credentials.revision != 1 and cluster.engine == "cloudnative-pg":
        yield finding("credentials.revision", f"{credentials.revision} with source aws-secrets-manager")


@rule(
    "PGHA-E803",
    must="name every user with a password, and only users",
    remedy="write USER: KEY for each user",
    source="postgresql-cluster-service: App user credentials; data-model: password_secret",
    reads=["credentials", "users"],
)
def user_keys(cluster: Cluster) -> Findings:
    """A user without an entry would wait for a Secret that nobody makes."""
    aws = cluster.credentials.aws_secrets_manager
    if aws is None or cluster.credentials.source != "aws-secrets-manager":
        return
    names = [user.name for user in cluster.users if user.authentication == "password"]
    wanted = [user.name for user in cluster.users if user.authentication == "password" and not user.password_secret]
    for name in wanted:
        if name not in aws.user_keys:
            yield finding(f"{_AWS}.userKeys", f"none for {name}")
    for name in aws.user_keys:
        if name not in names:
            yield finding(f"{_AWS}.userKeys.{name}", name)


@rule(
    "PGHA-E804",
    must="come together with superuserAccess",
    remedy="give both credentials.superuserAccess: true and superuserKey, or neither",
    source="postgresql-cluster-service: Admin credentials; research cnpg-eso 8, item 8",
    reads=["credentials", "engine"],
)
def superuser_key(cluster: Cluster) -> Findings:
    """The operator ignores the superuser's Secret unless access is on, and generates a password unless there is one."""
    aws, access = cluster.credentials.aws_secrets_manager, cluster.credentials.superuser_access
    if aws is None or cluster.credentials.source != "aws-secrets-manager" or cluster.engine != "cloudnative-pg":
        return
    if access and aws.superuser_key is None:
        yield finding(f"{_AWS}.superuserKey", None)
    if aws.superuser_key is not None and not access:
        yield finding(f"{_AWS}.superuserKey", f"{aws.superuser_key} alone")


_NAMES = {"secret_suffix"}
"""Keys of backends that name a place, whatever they sound like."""


@rule(
    "PGHA-E805",
    must="not carry a password",
    remedy="keep credentials in a Secret or in the environment",
    source="plan: Security Hardening, credentials never in Git; reliability: bad input 56",
    reads=["backend", "gitops", "network", "placement", "monitoring", "backup", "postgresql", "pooler"],
)
def literal_credentials(cluster: Cluster) -> Findings:
    """A cluster file is committed, and what is in it is in Git for ever.

    OpenTofu's backends read their credentials from the environment, Argo CD its
    repository's from a Secret.
    """
    for key, value in cluster.backend.config.items():
        if is_secret(key) and key not in _NAMES and not isinstance(value, bool):  # skip_credentials_validation
            yield Finding(path=f"backend.config.{key}", got=_HIDDEN)
    for path, text in _texts(cluster, ""):
        if holds_userinfo(text) or "-----BEGIN" in text:
            yield Finding(path=path, got=_HIDDEN)


@rule(
    "PGHA-E806",
    must="be a duration",
    remedy="write one such as 30s, 1m or 1h30m, the largest unit first",
    source="Prometheus operator: Duration; External Secrets: refreshInterval, a Go duration; 0 never looks again",
    reads=["monitoring", "credentials"],
)
def durations(cluster: Cluster) -> Findings:
    """The API server refuses Prometheus' objects; one ExternalSecret that its controller cannot read blocks all."""
    if not _PROMETHEUS.match(cluster.monitoring.interval):
        yield finding("monitoring.interval", cluster.monitoring.interval)
    aws = cluster.credentials.aws_secrets_manager
    if aws and not (_GO.match(aws.refresh_interval) and re.search(r"[1-9]", aws.refresh_interval)):
        yield finding(
            f"{_AWS}.refreshInterval", aws.refresh_interval, must="be a duration above 0 in hours, minutes and seconds"
        )


@rule(
    "PGHA-E807",
    must="be below the critical threshold",
    remedy="lower the warning, or raise the critical threshold",
    source="data-model: Alerts Configured",
    reads=["monitoring"],
)
def alert_order(cluster: Cluster) -> Findings:
    """A warning that comes with or after the alarm warns of nothing."""
    alerts = cluster.monitoring.alerts
    for key, warning, critical in (
        (
            "replicationLagWarningSeconds",
            alerts.replication_lag_warning_seconds,
            alerts.replication_lag_critical_seconds,
        ),
        ("storageWarningPercent", alerts.storage_warning_percent, alerts.storage_critical_percent),
    ):
        if warning >= critical:
            yield finding(f"monitoring.alerts.{key}", f"{warning} with {critical}")


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text in the file, with its path."""
    if isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            yield from _texts(getattr(value, name), join(path, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, join(path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, join(path, index))
    elif isinstance(value, str):
        yield path, value
