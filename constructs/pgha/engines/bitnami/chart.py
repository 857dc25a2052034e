"""The chart: which one, under which names, with which images.

Facts are from postgresql-ha 12.8.2 and the images' own scripts, read and rendered; docs/adr/0006 says what was
measured.
"""

from pgha.config.model import Cluster
from pgha.engines.base import NotBuiltError, Release
from pgha.resources.metadata import Object

CHART = "postgresql-ha"
VERSION = "12.8.2"
"""The last 12.x; a range would follow whatever appears."""

REPOSITORY = "oci://registry-1.docker.io/bitnamicharts"

PORT = 5432

MONITOR = "pgha_monitor"
"""The chart's own user: probes, Pgpool-II's health check and the exporter log in as it. No superuser."""

BACKUP = "pgha_backup"
"""Reads everything, writes nothing."""

SUPERUSER = "postgres"
REPMGR = "repmgr"

_IMAGES = {"16": "docker.io/bitnamilegacy/postgresql-repmgr:16.6.0-debian-12-r3"}
_PGPOOL_IMAGE = "docker.io/bitnamilegacy/pgpool:4.6.3-debian-12-r0"
"""Not the chart's 4.5.0, which lets anybody in as repmgr, a superuser (CVE-2025-22248)."""

EXPORTER_IMAGE = "docker.io/bitnamilegacy/postgres-exporter:0.17.1-debian-12-r16"
SHELL_IMAGE = "docker.io/bitnamilegacy/os-shell:12-debian-12-r51"

_KINDS = (
    ("", "ConfigMap"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("policy", "PodDisruptionBudget"),
)


def server(cluster: Cluster) -> str:
    """The StatefulSet and the Service of all data nodes: `postgres-ha-postgresql`."""
    return f"{cluster.name}-postgresql"


def pgpool(cluster: Cluster) -> str:
    """The Deployment and Service of Pgpool-II, the only way to the primary."""
    return f"{cluster.name}-pgpool"


def credentials(cluster: Cluster) -> str:
    """The Secret that chart, backup and access job read; the seed's name."""
    return f"{server(cluster)}-credentials"


def nodes(cluster: Cluster) -> list[str]:
    """Pods of the data nodes, which are also repmgr's node names."""
    return [f"{server(cluster)}-{ordinal}" for ordinal in range(cluster.instances)]


def hosts(cluster: Cluster) -> list[str]:
    """The nodes' own addresses: libpq finds the primary among them without Pgpool-II."""
    return [f"{node}.{server(cluster)}-headless" for node in nodes(cluster)]


def selector(cluster: Cluster, component: str | None = None) -> dict[str, str]:
    """Labels of the chart's pods: `postgresql` (the witness too), `pgpool`, or both."""
    found = {"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": cluster.name}
    return found | ({"app.kubernetes.io/component": component} if component else {})


def has_witness(cluster: Cluster) -> bool:
    """With an even number of data nodes a voter without data makes the majority odd."""
    return cluster.instances % 2 == 0


def image(cluster: Cluster) -> str:
    """The file's image, or the vendor's frozen one for this major.

    Raises:
        NotBuiltError: The vendor's last image of this major does not belong to this chart.
    """
    if cluster.postgresql.image:
        return cluster.postgresql.image
    major = cluster.postgresql.version
    if major not in _IMAGES:
        raise NotBuiltError(
            f"chart {CHART} {VERSION} is for PostgreSQL {', '.join(_IMAGES)}, not {major}",
            'write version: "16", or name a postgresql-repmgr image of your own under postgresql.image',
        )
    return _IMAGES[major]


def pgpool_image(cluster: Cluster) -> str:
    """The file's image, or the first of the vendor's that asks everybody for a password."""
    return (cluster.pooler.image if cluster.pooler else None) or _PGPOOL_IMAGE


def image_values(reference: str) -> Object:
    """An image reference in the chart's parts: registry, repository, and tag or digest."""
    path, _, digest = reference.partition("@")
    folder, _, last = path.rpartition("/")
    name, _, tag = last.partition(":")
    repository = f"{folder}/{name}" if folder else name
    registry, _, rest = repository.partition("/")
    if not rest or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, rest = "docker.io", repository
    found: Object = {"registry": registry, "repository": rest, "tag": tag}
    # A digest wins over the tag in the chart's own template.
    return found | ({"digest": digest} if digest else {})


def tls(cluster: Cluster) -> Object:
    """The chart's `tls`, the same for servers and Pgpool-II: the certificate of resources/certificates.py."""
    return {
        "enabled": True,
        "certificatesSecret": f"{cluster.name}-tls",
        "certFilename": "tls.crt",
        "certKeyFilename": "tls.key",
    }


def release(cluster: Cluster, values: Object) -> Release:
    """What Helm or Argo CD installs."""
    monitor = (("monitoring.coreos.com", "ServiceMonitor"),) if cluster.monitoring.enabled else ()
    return Release(
        name=cluster.name,
        chart=CHART,
        version=VERSION,
        repository=cluster.gitops.chart_repository or REPOSITORY,
        values=values,
        values_name="postgresql-values",
        kinds=_KINDS + monitor,
        # The server adds both to a StatefulSet's claim templates; the chart leaves them out until 13.2.4.
        ignored={
            ("apps", "StatefulSet"): (
                ".spec.volumeClaimTemplates[]?.apiVersion",
                ".spec.volumeClaimTemplates[]?.kind",
            )
        },
    )
