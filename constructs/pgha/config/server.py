"""The PostgreSQL servers: version, parameters, replication, size and place."""

from typing import Literal

from pydantic import Field

from pgha.config.section import Quantity, Section


class Postgresql(Section):
    """The server itself."""

    version: str = Field(
        default="16",
        description="PostgreSQL major version, quoted: YAML reads 16.10 as 16.1.",
        examples=["16", "17"],
    )
    image: str | None = Field(
        default=None,
        description="Container image; default: the engine's image for this version.",
        examples=["registry.example.com/postgresql:16.15-standard-trixie"],
    )
    parameters: dict[str, str | int | float | bool] = Field(
        default={},
        description="postgresql.conf settings, by PostgreSQL's own names and in its own units.",
        examples=[{"max_connections": 200, "shared_buffers": "512MB"}],
    )
    audit: bool = Field(
        default=False, description="Log statements with pgAudit; the image must carry the extension.", examples=[True]
    )

    @property
    def settings(self) -> dict[str, str]:
        """`parameters` as PostgreSQL reads them: every value as text, truth values as on and off."""
        return {
            name: ("on" if value else "off") if isinstance(value, bool) else str(value)
            for name, value in self.parameters.items()
        }

    @property
    def major(self) -> int:
        """The major version as a number."""
        return int(self.version)


class Replication(Section):
    """How writes reach the standbys."""

    mode: Literal["async", "sync"] = Field(
        default="async",
        description="sync: a write is acknowledged once a standby has it, so a failover loses none.",
    )
    synchronous_standbys: int = Field(
        default=1, ge=1, description="With sync: how many standbys must confirm.", examples=[1]
    )
    durability: Literal["required", "preferred"] = Field(
        default="required",
        description="With sync and too few standbys: required makes writes wait, preferred falls back to async.",
    )


class ResourceList(Section):
    """CPU and memory, in Kubernetes quantities."""

    cpu: Quantity | None = Field(
        default=None, description="Cores: `2`, or `500m` for half a core.", examples=["500m", "2"]
    )
    memory: Quantity | None = Field(default=None, description="Bytes, with Ki, Mi or Gi.", examples=["2Gi"])


class Resources(Section):
    """What each instance asks for, and may use at most."""

    requests: ResourceList = Field(
        default=ResourceList.model_construct(cpu="1", memory="2Gi"),
        description="Reserved for each instance on its node.",
    )
    limits: ResourceList = Field(
        default=ResourceList.model_construct(cpu="2", memory="4Gi"),
        description="More memory than this ends the server, more CPU slows it.",
    )


class Storage(Section):
    """One PersistentVolume per instance; it outlives pods and the release."""

    size: Quantity = Field(
        default="50Gi",
        description="Capacity of each volume; at least 10Gi. It can grow, never shrink.",
        examples=["50Gi"],
    )
    storage_class: str = Field(
        default="local-path", description="StorageClass of the volumes.", examples=["local-path", "nfs-postgres-v2"]
    )
    access_mode: str = Field(
        default="ReadWriteOnce", description="Only ReadWriteOnce: no two servers share a data directory."
    )
    wal_size: Quantity | None = Field(
        default=None, description="A volume of its own for the write-ahead log; default: none.", examples=["10Gi"]
    )


class Placement(Section):
    """Which nodes run the instances."""

    anti_affinity: Literal["required", "preferred"] = Field(
        default="required",
        description="required: never two instances on one node; needs as many nodes as instances.",
    )
    topology_key: str = Field(
        default="kubernetes.io/hostname",
        description="The node label that says what counts as one place.",
        examples=["topology.kubernetes.io/zone"],
    )
    node_selector: dict[str, str] = Field(
        default={}, description="Labels that a node must have.", examples=[{"disk": "ssd"}]
    )
