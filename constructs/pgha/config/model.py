"""The cluster file as types: what may be written, its defaults, and what each key means.

Keys are camelCase in YAML (Kubernetes' way) and snake_case here. A default is a seed's value wherever a seed
has one; what relates two keys, or a key and the world, is a rule in `pgha.config.rules`.
"""

from typing import Literal

from pydantic import Field

from pgha.config.access import AddressPool, Database, LoadBalancer, Network, Pooler, User
from pgha.config.operations import (
    Alerts,
    AwsSecretsManager,
    Backend,
    Backup,
    Credentials,
    DumpVolume,
    Gitops,
    Monitoring,
    ObjectStore,
    Recovery,
)
from pgha.config.section import Identifier, Name, Privilege, Quantity, Section
from pgha.config.server import Placement, Postgresql, Replication, ResourceList, Resources, Storage

__all__ = [
    "AddressPool",
    "Alerts",
    "AwsSecretsManager",
    "Backend",
    "Backup",
    "Cluster",
    "Credentials",
    "Database",
    "DumpVolume",
    "Gitops",
    "Identifier",
    "LoadBalancer",
    "Monitoring",
    "Name",
    "Network",
    "ObjectStore",
    "Placement",
    "Pooler",
    "Postgresql",
    "Privilege",
    "Quantity",
    "Recovery",
    "Replication",
    "ResourceList",
    "Resources",
    "Section",
    "Storage",
    "User",
]

CLIENT_CERTIFICATE = "-client-cert"
"""What CloudNativePG adds to the name of a DatabaseRole for the Secret with its certificate."""


class Cluster(Section):
    """One highly available PostgreSQL: the whole of a cluster file."""

    name: Name = Field(description="Names every object; it cannot change later.", examples=["postgres-cluster"])
    namespace: Name = Field(
        default="postgresql",
        description="Kubernetes namespace; made for this cluster alone.",
        examples=["postgresql", "postgres"],
    )
    engine: Literal["cloudnative-pg", "bitnami"] = Field(
        default="cloudnative-pg",
        description="What runs it: the CloudNativePG operator, or the chart postgresql-ha with repmgr and Pgpool-II.",
    )
    delivery: Literal["argocd", "tofu"] = Field(
        default="argocd", description="Who applies what is inside the namespace: Argo CD from Git, or OpenTofu."
    )
    instances: int = Field(default=3, description="Servers: one primary, the rest standbys. At least 2.", examples=[3])
    postgresql: Postgresql = Field(default=Postgresql.model_construct(), description="The server itself.")
    replication: Replication = Field(
        default=Replication.model_construct(), description="How writes reach the standbys."
    )
    resources: Resources = Field(default=Resources.model_construct(), description="CPU and memory of each instance.")
    storage: Storage = Field(default=Storage.model_construct(), description="The volume of each instance.")
    placement: Placement = Field(default=Placement.model_construct(), description="Which nodes run the instances.")
    databases: list[Database] = Field(
        default=[Database.model_construct(name="app", owner="app")], description="Logical databases."
    )
    users: list[User] = Field(default=[User.model_construct(name="app")], description="Roles that can log in.")
    network: Network = Field(default=Network.model_construct(), description="Who may connect, from where, and how.")
    pooler: Pooler | None = Field(default=None, description="A connection pooler; omit for none.")
    backup: Backup | None = Field(default=None, description="Scheduled backups; omit for none.")
    recovery: Recovery | None = Field(
        default=None, description="The backups that a new cluster is made from; omit for an empty one."
    )
    monitoring: Monitoring = Field(
        default=Monitoring.model_construct(), description="Objects for Prometheus and Grafana."
    )
    credentials: Credentials = Field(default=Credentials.model_construct(), description="Where passwords come from.")
    gitops: Gitops = Field(default=Gitops.model_construct(), description="Where Argo CD finds what this file renders.")
    backend: Backend = Field(default=Backend.model_construct(), description="Where OpenTofu keeps its state.")
    silence: list[str] = Field(
        default=[],
        description="Warning codes that are known and accepted.",
        examples=[["PGHA-W201"]],
    )

    @property
    def standbys(self) -> int:
        """How many servers follow the primary."""
        return self.instances - 1

    @property
    def pool_name(self) -> str:
        """Name of the MetalLB IPAddressPool."""
        balancer = self.network.load_balancer
        return (balancer.pool.name if balancer else None) or self.name

    @property
    def project_name(self) -> str:
        """Name of the Argo CD AppProject."""
        return self.gitops.project or self.name

    @property
    def backup_method(self) -> Literal["pg_dump", "physical"]:
        """How backups are made: as the file says, or as the engine does."""
        chosen = self.backup.method if self.backup else None
        return chosen or ("physical" if self.engine == "cloudnative-pg" else "pg_dump")

    @property
    def dump_storage_class(self) -> str:
        """StorageClass of the volume that pg_dump writes to."""
        return (self.backup.volume.storage_class if self.backup else None) or self.storage.storage_class

    def secret_name(self, user: User) -> str:
        """Name of the Secret with this user's credentials: NAME-USER unless the file names one.

        For a certificate it is the operator's choice: NAME-USER-client-cert.
        """
        own = f"{self.name}-{user.dns_name}"
        return f"{own}{CLIENT_CERTIFICATE}" if user.authentication == "cert" else user.password_secret or own
