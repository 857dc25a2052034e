"""What the operators write into objects of each kind, when they are done with one, and the order of application."""

from collections.abc import Mapping

from pgha.engines.base import Traits
from pgha.engines.cloudnative_pg.readiness import HEALTHY

_BEFORE = Traits(wave=-1)
_AFTER = Traits(wave=1)

TRAITS: Mapping[str, Traits] = {
    "Namespace": Traits(holds_data=True, wave=-2),
    "SecretStore": Traits(wave=-2),
    "ClusterSecretStore": Traits(wave=-2),
    "ExternalSecret": Traits(wave=-1, conditions=("Ready",)),
    "IPAddressPool": _BEFORE,
    "L2Advertisement": _BEFORE,
    "NetworkPolicy": _BEFORE,
    "ObjectStore": _BEFORE,
    "FailoverQuorum": _BEFORE,
    # The webhook merges its own parameters into ours (api/v1/cluster_defaults.go), and completes the lease's timings.
    "Cluster": Traits(
        defaulted=("spec.postgresql.parameters", "spec.primaryLease.releasedLeaseDurationSeconds"),
        until={"status.phase": HEALTHY},
        holds_data=True,
    ),
    "Database": Traits(until={"status.applied": "true"}, holds_data=True, wave=1),
    "DatabaseRole": Traits(until={"status.applied": "true"}, wave=1),
    "Pooler": _AFTER,
    "PodDisruptionBudget": _AFTER,
    "PodMonitor": _AFTER,
    "PrometheusRule": _AFTER,
    "ConfigMap": _AFTER,
    "ScheduledBackup": _AFTER,
    # The server selects and labels the pods of a Job by its uid.
    "Job": Traits(
        defaulted=("spec.selector", "spec.template.metadata.labels"), until={"status.succeeded": "1"}, wave=2
    ),
    "Deployment": Traits(wave=2),
}
"""By kind; one that is not named here is applied with the Cluster and not waited for."""
