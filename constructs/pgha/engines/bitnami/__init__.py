"""The engine bitnami: the chart postgresql-ha, with repmgr and Pgpool-II.

The chart runs the servers and Pgpool-II; what it lacks, or does in a way that was measured to lose data, stands
beside it as objects of our own. docs/adr/0006 says what remains.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pgha.config.model import Cluster
from pgha.engines.base import Endpoint, NotBuiltError, Reader, Readiness, Release, Requirement, Shell, Traits
from pgha.engines.bitnami import alerts, chart, pgpool, readiness, services, values
from pgha.engines.bitnami.access import access, script
from pgha.engines.bitnami.dumps import Dumps
from pgha.resources import backup, external_secrets
from pgha.resources.address_pool import address_pool
from pgha.resources.certificates import certificates
from pgha.resources.credentials import GeneratedSecret, basic_auth
from pgha.resources.metadata import REVISION, Object, labels, metadata
from pgha.resources.namespace import namespace

_METALLB = "MetalLB (stack platform)"
_PROMETHEUS = "the Prometheus operator; or set monitoring.enabled: false"
_CERTIFICATES = "cert-manager; or write tls: allowed"
_BROUGHT_BY = {
    "metallb.io/v1beta1": _METALLB,
    "monitoring.coreos.com/v1": _PROMETHEUS,
    "cert-manager.io/v1": _CERTIFICATES,
    external_secrets.API_VERSION: external_secrets.BROUGHT_BY,
}
_INTERNAL = ("password", "postgres-password", "repmgr-password", "admin-password", "backup-password")


class Bitnami:
    """PostgreSQL run by the chart postgresql-ha."""

    name = "bitnami"
    backups = Dumps()

    def secrets(self, cluster: Cluster) -> Sequence[GeneratedSecret]:
        """The chart's own passwords in one Secret, and one Secret per user.

        `credentials.revision` renews the users' alone: the chart's live in the running servers, which would not
        start again with others (docs/runbooks/rotate-passwords.md).
        """
        internal = GeneratedSecret(
            namespace=cluster.namespace,
            name=chart.credentials(cluster),
            passwords=_INTERNAL,
            labels=labels(cluster),
            annotations={REVISION: "1"},
        )
        if external_secrets.source(cluster) is not None:
            return [internal]
        return [internal, *(basic_auth(cluster, user.name, cluster.secret_name(user)) for user in cluster.users)]

    def objects(self, cluster: Cluster) -> Sequence[Object]:
        """All that is not the chart's: policies and files before it, access, address, backup and alerts after."""
        objects = [namespace(cluster), *address_pool(cluster)]
        if cluster.network.network_policy:
            objects += services.policies(cluster)
        if cluster.network.tls == "required":
            objects += certificates(cluster, _names(cluster))
        objects += external_secrets.objects(cluster, external_secrets.of_users(cluster))
        objects += [_files(cluster), *access(cluster), *services.external(cluster)]
        if cluster.backup is not None:
            objects += backup.objects(cluster, source=_source(cluster))
        if cluster.monitoring.enabled:
            objects += alerts.objects(cluster)
        return objects

    def release(self, cluster: Cluster) -> Release | None:
        """Chart postgresql-ha, at one exact version."""
        return chart.release(cluster, values.values(cluster))

    def traits(self, obj: Object) -> Traits:
        """What is before and what after the chart, and what is waited for."""
        match obj["kind"]:
            case "Namespace":
                return Traits(holds_data=True, wave=-2)
            case "SecretStore" | "ClusterSecretStore":
                return Traits(wave=-2)
            case "ExternalSecret":
                return Traits(wave=-1, conditions=("Ready",))
            case "IPAddressPool" | "L2Advertisement" | "NetworkPolicy" | "ConfigMap" | "Issuer" | "Certificate":
                return Traits(wave=-1)
            case "Job":
                # The server selects and labels the pods of a Job by its uid.
                return Traits(
                    defaulted=("spec.selector", "spec.template.metadata.labels"),
                    until={"status.succeeded": "1"},
                    wave=1,
                )
            case "PersistentVolumeClaim":
                return Traits(wave=2, holds_data=True)
            case "PersistentVolume":
                return Traits(wave=-1, holds_data=True)
            case "Service" | "CronJob" | "PrometheusRule":
                return Traits(wave=2)
            case _:
                return Traits()

    def endpoints(self, cluster: Cluster) -> Sequence[Endpoint]:
        """Pgpool-II's Service first: the only one that leads to the primary."""
        return services.endpoints(cluster)

    def requirements(self, cluster: Cluster) -> Sequence[Requirement]:
        """MetalLB, the Prometheus operator, cert-manager and External Secrets, where the file uses them."""
        used = {(obj["apiVersion"], obj["kind"]) for obj in self.objects(cluster) if obj["apiVersion"] in _BROUGHT_BY}
        if cluster.monitoring.enabled:
            used.add(("monitoring.coreos.com/v1", "ServiceMonitor"))
        return [
            Requirement(api_version=api_version, kind=kind, brought_by=_BROUGHT_BY[api_version])
            for api_version, kind in sorted(used)
        ]

    def readiness(self, cluster: Cluster, read: Reader) -> Readiness:
        """Servers, witness and Pgpool-II are there, roles are made, and the Service has its address."""
        return readiness.judge(cluster, read)

    def pods(self, cluster: Cluster) -> Mapping[str, str]:
        """Servers, witness and Pgpool-II."""
        return chart.selector(cluster)

    def instances(self, cluster: Cluster) -> Mapping[str, str]:
        """The chart's data nodes; the witness has a database of its own, and no data."""
        return chart.selector(cluster, "postgresql") | {"role": "data"}

    def shell(self, cluster: Cluster) -> Shell:  # noqa: ARG002  # the protocol's
        """The image keeps the superuser's password in its environment; the shell inside the pod puts it to use."""
        login = 'PGPASSWORD="$POSTGRES_POSTGRES_PASSWORD" exec psql --host 127.0.0.1 --username postgres "$@"'
        return Shell(container="postgresql", psql=("/bin/sh", "-c", login, "psql"), open_by_password=True)

    def primary(self, cluster: Cluster, read: Reader) -> str | None:  # noqa: ARG002  # the protocol's
        """None: repmgr knows, Kubernetes does not."""
        return None

    def switchover(self, cluster: Cluster, to: str, now: datetime) -> tuple[Object, Object]:  # noqa: ARG002
        """Never: repmgr's own logs in to the other server by SSH, which the chart's containers do not have."""
        raise NotBuiltError(
            f"engine bitnami has no switchover: repmgr's wants SSH between {cluster.name}'s pods",
            "at a quiet moment delete the primary's pod: docs/runbooks/failover.md",
        )

    def client_image(self, cluster: Cluster) -> str:
        """The server's own image: it is on every node already."""
        return chart.image(cluster)


def _files(cluster: Cluster) -> Object:
    """Probes and Pgpool-II's rules, mounted into the chart's pods."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(cluster, f"{cluster.name}-servers"),
        "data": {
            "pgpool-probe.sh": script("pgpool-probe.sh"),
            "postgresql-live.sh": script("postgresql-live.sh"),
            "postgresql-ready.sh": script("postgresql-ready.sh"),
            "postgresql-start.sh": script("postgresql-start.sh"),
            "pool_hba.conf": pgpool.pool_hba(cluster),
        },
    }


def _source(cluster: Cluster) -> backup.Source:
    """Where the backup reads: the primary, found among the servers themselves, so that it needs no Pgpool-II."""
    return backup.Source(
        image=chart.image(cluster),
        hosts=tuple(chart.hosts(cluster)),
        user=chart.BACKUP,
        secret=chart.credentials(cluster),
        key="backup-password",
        skipped=(chart.REPMGR,),
        avoided=chart.selector(cluster, "postgresql"),
    )


def _names(cluster: Cluster) -> list[str]:
    """Every name under which a client may reach the cluster."""
    short = [chart.pgpool(cluster), chart.server(cluster), f"{cluster.name}-external"]
    inside = f"{cluster.namespace}.svc"
    found = [f"{name}{suffix}" for name in short for suffix in ("", f".{cluster.namespace}", f".{inside}")]
    found += [f"{name}.{inside}.{cluster.network.cluster_domain}" for name in short]
    balancer = cluster.network.load_balancer
    return [*found, *([balancer.hostname] if balancer and balancer.hostname else [])]
