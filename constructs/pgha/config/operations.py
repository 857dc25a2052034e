"""What keeps it running: backups, monitoring, credentials, and how changes are delivered."""

from typing import Literal

from pydantic import Field

from pgha.config.section import Identifier, Name, Quantity, Section


class ObjectStore(Section):
    """Where physical backups and the write-ahead log go."""

    destination: str = Field(description="Bucket and folder.", examples=["s3://backups/postgres-cluster"])
    endpoint: str | None = Field(
        default=None, description="URL of an S3-compatible server; default: AWS.", examples=["https://s3.example.com"]
    )
    region: str | None = Field(default=None, description="AWS region of the bucket.", examples=["eu-west-1"])
    credentials_secret: Name | None = Field(
        default=None,
        description="Name of the Secret with ACCESS_KEY_ID and ACCESS_SECRET_KEY.",
        examples=["backup-credentials"],
    )
    iam_role: str | None = Field(
        default=None,
        description="Instead of keys: the IAM role that the servers' service account takes on (EKS).",
        examples=["arn:aws:iam::123456789012:role/postgres-backup"],
    )
    endpoint_ca_secret: Name | None = Field(
        default=None, description="Name of the Secret whose key ca.crt signs the endpoint's certificate."
    )


class Recovery(Section):
    """Make the cluster from another one's backups, when it is new. `pgha restore` writes this section."""

    cluster: Name = Field(
        description="Name of the cluster whose backups they are: its folder in the destination.",
        examples=["postgres-cluster"],
    )
    target_time: str | None = Field(
        default=None,
        description="State of that moment, with date, time and zone; default: the newest that was archived.",
        examples=["2026-11-21T17:05:00Z"],
    )
    object_store: ObjectStore = Field(description="Where those backups are; it is only read.")


class DumpVolume(Section):
    """Where pg_dump writes."""

    size: Quantity = Field(default="50Gi", description="Capacity; it must hold every dump that is kept.")
    storage_class: str | None = Field(default=None, description="Default: the cluster's.")
    nfs_server: str | None = Field(default=None, description="With nfsPath: an NFS share instead of a volume claim.")
    nfs_path: str | None = Field(default=None, description="Folder on the NFS server.", examples=["/backups/postgres"])


class Backup(Section):
    """Scheduled backups: `pg_dump` (bitnami) or `physical` (cloudnative-pg)."""

    method: Literal["pg_dump", "physical"] | None = Field(default=None, description="Default: what the engine does.")
    schedule: str = Field(
        default="0 2 * * *",
        description="Cron, five fields; six with leading seconds for cloudnative-pg.",
        examples=["0 2 * * *", "0 0 2 * * *"],
    )
    time_zone: str = Field(default="Etc/UTC", description="IANA time zone of the schedule.", examples=["Europe/Madrid"])
    retention_days: int = Field(
        default=7, description="Backups older than this are deleted, the newest good one never."
    )
    object_store: ObjectStore | None = Field(default=None, description="For physical backups.")
    volume: DumpVolume = Field(default=DumpVolume.model_construct(), description="For pg_dump.")


class Alerts(Section):
    """Thresholds of the six alerts (seed data-model, 'Alerts Configured')."""

    replication_lag_warning_seconds: int = Field(default=60, ge=1, description="Standby behind the primary: warn.")
    replication_lag_critical_seconds: int = Field(default=300, ge=1, description="Standby behind the primary: page.")
    storage_warning_percent: int = Field(default=80, ge=1, le=99, description="Volume in use: warn.")
    storage_critical_percent: int = Field(default=95, ge=1, le=99, description="Volume in use: page.")
    connections_warning_percent: int = Field(default=90, ge=1, le=99, description="Of max_connections: warn.")


class Monitoring(Section):
    """Prometheus and Grafana objects; their operators must be installed."""

    enabled: bool = Field(default=True, description="false: no objects for Prometheus and Grafana.")
    labels: dict[str, str] = Field(
        default={"release": "kube-prometheus-stack"},
        description="Labels by which Prometheus selects monitors and rules.",
    )
    interval: str = Field(default="30s", description="How often Prometheus asks.", examples=["30s", "1m"])
    alerts: Alerts = Field(default=Alerts.model_construct(), description="When to be told.")
    dashboard: bool = Field(default=True, description="A Grafana dashboard as a ConfigMap.")


class AwsSecretsManager(Section):
    """External Secrets reads the credentials from AWS Secrets Manager."""

    region: str = Field(default="eu-west-1", description="AWS region of the secrets.", examples=["eu-west-1"])
    store: Name = Field(default="aws-secrets-manager", description="Name of the SecretStore or ClusterSecretStore.")
    store_kind: Literal["SecretStore", "ClusterSecretStore"] = Field(
        default="ClusterSecretStore", description="Kind of the store."
    )
    create_store: bool = Field(
        default=False,
        description="true: create the store too; it asks with the External Secrets controller's own AWS identity, "
        "unless one of the next two names another.",
    )
    service_account: Name | None = Field(
        default=None,
        description="For createStore: a ServiceAccount of the cluster's namespace with an IAM role (IRSA), made by "
        "you.",
        examples=["postgres-secrets"],
    )
    access_keys_secret: Name | None = Field(
        default=None,
        description="For createStore: a Secret of the cluster's namespace with `access-key-id` and "
        "`secret-access-key`, made by you.",
        examples=["aws-access-keys"],
    )
    superuser_key: str | None = Field(
        default=None,
        description="Name of the superuser's entry in AWS Secrets Manager.",
        examples=["postgres/admin-credentials"],
    )
    user_keys: dict[Identifier, str] = Field(
        default={},
        description="User name to the name of its entry in AWS Secrets Manager.",
        examples=[{"app": "postgres/app-credentials"}],
    )
    refresh_interval: str = Field(default="1h", description="How often External Secrets looks for a new password.")


class Credentials(Section):
    """Where passwords come from. Never from this file."""

    source: Literal["generated", "aws-secrets-manager"] = Field(
        default="generated", description="generated: OpenTofu makes them and writes them only into Secrets."
    )
    revision: int = Field(
        default=1,
        ge=1,
        description="Raise it to replace every generated password; bitnami: the users' alone, the servers' own by hand "
        "(docs/runbooks/rotate-passwords.md).",
    )
    superuser_access: bool = Field(
        default=False, description="Give the superuser a password for connections over the network."
    )
    aws_secrets_manager: AwsSecretsManager | None = Field(default=None, description="For that source.")


class SyncWindow(Section):
    """When Argo CD may apply changes by itself, or may not."""

    name: str = Field(description="What it is called in Argo CD.", examples=["office hours"])
    kind: Literal["allow", "deny"] = Field(
        description="allow: only then; deny: not then. With both, deny wins.", examples=["deny"]
    )
    schedule: str = Field(description="When it begins: cron, five fields.", examples=["0 8 * * 1-5"])
    duration: str = Field(description="How long it lasts.", examples=["10h", "1h30m"])
    time_zone: str = Field(default="Etc/UTC", description="IANA time zone of the schedule.", examples=["Europe/Madrid"])
    manual_sync: bool = Field(default=True, description="false: a sync that a person starts is refused too.")


class Gitops(Section):
    """Where Argo CD finds what this file renders."""

    repo_url: str = Field(
        default="https://git.example.com/platform/pgha.git",
        alias="repoURL",
        description="The Git repository that holds the rendered tree.",
    )
    target_revision: str = Field(default="main", description="Branch, tag or commit.")
    path: str = Field(
        default="kubernetes/applications", description="Folder of the rendered tree inside the repository."
    )
    argocd_namespace: Name = Field(default="argocd", description="Namespace in which Argo CD runs.")
    project: Name | None = Field(default=None, description="AppProject; default: one of the cluster's own name.")
    chart_repository: str | None = Field(
        default=None, description="Repository of the engine's chart; default: the vendor's."
    )
    layout: Literal["single", "app-of-apps", "application-set"] = Field(
        default="single",
        description="Who makes the Application: single, the stack; app-of-apps, a parent Application that applies "
        "application.yaml from Git; application-set, an ApplicationSet over clusters/.",
    )
    sync_windows: list[SyncWindow] = Field(
        default=[], description="When Argo CD may apply changes; default: at any time."
    )


class Backend(Section):
    """Where OpenTofu keeps its state."""

    type: Literal["local", "kubernetes", "s3", "http"] = Field(default="local", description="Kind of the backend.")
    config: dict[str, str | int | bool] = Field(
        default={},
        description="The backend's own arguments; no credentials.",
        examples=[{"bucket": "tofu-state", "region": "eu-west-1"}],
    )
    encryption: Literal["none", "passphrase"] = Field(
        default="none",
        description="passphrase: OpenTofu encrypts state and plans with TF_VAR_state_passphrase from the environment.",
    )
