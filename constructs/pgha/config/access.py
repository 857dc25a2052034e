"""Who uses the databases, from where, and through what."""

from typing import Literal

from pydantic import Field

from pgha.config.section import Identifier, Name, Privilege, Section
from pgha.config.text import dns_label


class Database(Section):
    """A logical database."""

    name: Identifier = Field(description="Its name; reserved ones are refused.", examples=["appdb"])
    owner: Identifier = Field(description="One of `users`; owns the database and its objects.", examples=["app_owner"])
    encoding: str = Field(default="UTF8", description="Character encoding; it cannot change later.", examples=["UTF8"])
    collation: str = Field(
        default="en_US.UTF-8", description="Sort order; it cannot change later.", examples=["C.UTF-8", "en_US.UTF-8"]
    )


class User(Section):
    """A role that can log in, with a password or a certificate kept in a Secret."""

    name: Identifier = Field(description="Its name; reserved ones are refused.", examples=["app_user"])
    databases: list[Identifier] = Field(
        default=[], description="Databases it may connect to; owners need not be listed."
    )
    privileges: list[Privilege] = Field(
        default=["CONNECT", "SELECT", "INSERT", "UPDATE", "DELETE"],
        description="Granted on those databases and on every table their owners have or will make.",
    )
    connection_limit: int = Field(
        default=-1, ge=-1, description="Connections it may hold at once; -1: no limit of its own.", examples=[50]
    )
    superuser: bool = Field(default=False, description="Always false for applications; true is refused.")
    authentication: Literal["password", "cert"] = Field(
        default="password",
        description="How it proves who it is. cert: by a certificate from the Secret NAME-USER-client-cert, which the "
        "operator makes and renews; over TLS, and not through the pooler.",
    )
    password_secret: Name | None = Field(
        default=None,
        description="Name of the Secret with its username and password; default: NAME-USER.",
        examples=["app-credentials"],
    )

    @property
    def dns_name(self) -> str:
        """The name as a DNS label: lower case, with hyphens for everything else."""
        return dns_label(self.name)


class AddressPool(Section):
    """A MetalLB IPAddressPool for this cluster's LoadBalancer addresses."""

    name: Name | None = Field(default=None, description="Default: the cluster's name.", examples=["databases"])
    addresses: list[str] = Field(
        description="Ranges or CIDRs; keep them out of the DHCP server's range.",
        examples=[["192.168.10.100-192.168.10.110"]],
    )
    auto_assign: bool = Field(default=False, description="false: only Services that ask for this pool get an address.")
    create: bool = Field(default=True, description="false: the pool exists already and belongs to somebody else.")


class LoadBalancer(Section):
    """The address under which people on the internal network reach the primary."""

    address: str = Field(description="IPv4 address; it must lie in the pool.", examples=["192.168.10.100"])
    pool: AddressPool = Field(description="Where the address comes from.")
    hostname: str | None = Field(
        default=None,
        description="DNS name that points to the address; goes into the server certificate.",
        examples=["postgres.homelab.local"],
    )
    read_only_address: str | None = Field(
        default=None, description="A second address, for the standbys.", examples=["192.168.10.101"]
    )
    external_traffic_policy: Literal["Cluster", "Local"] = Field(
        default="Cluster",
        description="Local keeps the client's address visible to pg_hba; Cluster answers through any node.",
    )


class Network(Section):
    """Who may connect, from where, and how."""

    port: int = Field(
        default=5432, description="Always 5432 (the seed's rule); written down so that a wrong one is refused."
    )
    load_balancer: LoadBalancer | None = Field(default=None, description="Omit for no access from outside Kubernetes.")
    networks: list[str] = Field(
        default=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        description="Client networks admitted by pg_hba and by the LoadBalancer; all others are rejected.",
    )
    namespaces: list[Name] = Field(default=[], description="Namespaces whose pods may connect; empty: every namespace.")
    network_policy: bool = Field(default=True, description="Enforce the above with NetworkPolicies too.")
    authentication: Literal["scram-sha-256", "md5"] = Field(
        default="scram-sha-256", description="Password method in pg_hba."
    )
    tls: Literal["required", "allowed"] = Field(
        default="allowed", description="required: connections without TLS are rejected."
    )
    pod_cidr: str = Field(
        default="10.42.0.0/16", description="The cluster's pod range (k3s' default); pools must not overlap it."
    )
    service_cidr: str = Field(default="10.43.0.0/16", description="The cluster's Service range (k3s' default).")
    cluster_domain: str = Field(default="cluster.local", description="The suffix of Service names in DNS.")


class Pooler(Section):
    """PgBouncer in front of the primary (cloudnative-pg) or Pgpool-II's own pool (bitnami)."""

    instances: int = Field(default=3, ge=1, description="Pods of the pooler.")
    mode: Literal["session", "transaction"] = Field(
        default="transaction",
        description="transaction: a server connection serves one transaction at a time; session-level SET, LISTEN and "
        "advisory locks do not work. bitnami: always session.",
    )
    max_client_connections: int = Field(
        default=1000, ge=1, description="Client connections per pod; bitnami: Pgpool-II's num_init_children."
    )
    pool_size: int = Field(
        default=25,
        ge=1,
        description="Server connections per user and database, per pod; bitnami: max_pool, kept by each child.",
    )
    image: str | None = Field(default=None, description="Container image; default: the engine's.")
    per_application: list[Identifier] = Field(default=[], description="Databases that get a pooler of their own.")
