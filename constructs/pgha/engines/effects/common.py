"""What a change does whatever the engine: identity, delivery, and what only reads from outside."""

from pgha.config.changes import Change
from pgha.config.quantity import quantity
from pgha.engines.effects import Case, Level, Rules

_NEW_CLUSTER = "make a second cluster from a file of its own, move the data by backup or dump, then remove this one"
_ARGO = ("Application {argocd}/{name}",)
_PROJECT = ("AppProject {argocd}/{project}", *_ARGO)
MONITOR = (
    "PodMonitor {namespace}/*",
    "ServiceMonitor {namespace}/*",
    "PrometheusRule {namespace}/{name}",
    "ConfigMap {namespace}/{name}-dashboard",
)

NOTHING = Case(level=Level.NOTHING, reason="it is only checked, or written for people; no object holds it")


def same_quantity(change: Change) -> bool:
    """Whether both are one amount, written otherwise."""
    return quantity(change.old) == quantity(change.new) is not None


def shrinks(change: Change) -> bool:
    """Whether less than before is asked for."""
    old, new = quantity(change.old), quantity(change.new)
    return old is not None and new is not None and new < old


def comes(change: Change) -> bool:
    """Whether it was not there before."""
    return change.old is None


def goes(change: Change) -> bool:
    """Whether it is not there any more."""
    return change.new is None


def fewer(change: Change) -> bool:
    """Whether a number falls or a list loses something."""
    if isinstance(change.old, list) and isinstance(change.new, list):
        return not set(change.old) <= set(change.new)
    return bool(change.new < change.old)


def same_set(change: Change) -> bool:
    """Whether two lists hold the same, in another order."""
    return set(change.old or ()) == set(change.new or ())


SAME_QUANTITY = Case(
    level=Level.NOTHING, reason="it is the same amount, written otherwise", when=same_quantity, said="the same amount"
)
SAME_SET = Case(
    level=Level.NOTHING, reason="it holds the same, in another order", when=same_set, said="only the order differs"
)


def refused(reason: str, *objects: str, remedy: str = _NEW_CLUSTER) -> Case:
    """A change that cannot be made to this cluster."""
    return Case(level=Level.REFUSED, reason=reason, objects=objects, remedy=remedy)


def _monitoring(reason: str) -> tuple[Case, ...]:
    return (Case(level=Level.NOTHING, reason=reason, objects=MONITOR),)


def _argocd(reason: str, objects: tuple[str, ...] = _ARGO) -> tuple[Case, ...]:
    return (Case(level=Level.NOTHING, reason=reason, objects=objects),)


_STATE = (
    Case(
        level=Level.BY_HAND,
        reason="OpenTofu keeps its state elsewhere; no object of the cluster changes",
        remedy="move the state with `tofu init -migrate-state` before the next plan, which would find nothing",
    ),
)

COMMON: Rules = {
    "name": (refused("every object is named after it: another name is another, empty cluster beside this one"),),
    "namespace": (refused("objects and volumes cannot move to another namespace: this would be another cluster"),),
    "engine": (refused("the engines lay out data, replication and backups differently: neither can take over"),),
    "delivery": (
        Case(
            level=Level.NOTHING,
            reason="OpenTofu lets go of what lies in the namespace and Argo CD takes it over as it runs",
            objects=("every object in namespace {namespace} but its Secrets",),
            remedy="commit and push the tree that `pgha synth` writes before the apply: Argo CD takes what is there",
            when=lambda change: bool(change.new == "argocd"),
            said="from tofu to argocd",
        ),
        Case(
            level=Level.NOTHING,
            reason="OpenTofu takes the objects over as they run; Argo CD's Application goes, and nothing with it",
            objects=_PROJECT,
        ),
    ),
    "network.port": (refused("it is always 5432", remedy="leave it"),),
    "network.podCidr": (NOTHING,),
    "network.serviceCidr": (NOTHING,),
    "storage.accessMode": (refused("a volume keeps its access mode"),),
    "monitoring.enabled": (
        Case(
            level=Level.NOTHING,
            reason="objects for Prometheus and Grafana come or go; the servers export their metrics all the same",
            objects=(*MONITOR, "NetworkPolicy {namespace}/{name}*"),
        ),
    ),
    "monitoring.labels.*": _monitoring("Prometheus selects monitors and rules by other labels"),
    "monitoring.interval": _monitoring("Prometheus asks more or less often"),
    "monitoring.dashboard": _monitoring("a dashboard comes or goes"),
    **{
        f"monitoring.alerts.{key}": _monitoring("the threshold of an alert")
        for key in (
            "replicationLagWarningSeconds",
            "replicationLagCriticalSeconds",
            "storageWarningPercent",
            "storageCriticalPercent",
            "connectionsWarningPercent",
        )
    },
    "gitops.repoURL": _argocd("Argo CD reads another repository, and applies what it finds there", _PROJECT),
    "gitops.targetRevision": _argocd("Argo CD reads another revision, and applies what it finds there"),
    "gitops.path": _argocd("Argo CD reads another folder: commit the rendered tree there first"),
    "gitops.argocdNamespace": _argocd("the Application is made anew for another Argo CD; its objects stay", _PROJECT),
    "gitops.project": _argocd("the Application belongs to another project; its objects stay", _PROJECT),
    "gitops.chartRepository": _argocd("the same chart comes from elsewhere; another version of it is another change"),
    "gitops.layout": (
        Case(
            level=Level.BY_HAND,
            reason="the Application gets another owner; none of its objects changes, since deleting it deletes none",
            objects=_PROJECT,
            remedy="apply the stack, then once what makes it now (docs/how-to/argocd-layouts.md)",
        ),
    ),
    **{
        f"gitops.syncWindows[].{key}": _argocd(
            "Argo CD applies changes at other times", ("AppProject {argocd}/{project}",)
        )
        for key in ("name", "kind", "schedule", "duration", "timeZone", "manualSync")
    },
    "backend.type": _STATE,
    "backend.config.*": _STATE,
    "backend.encryption": (
        Case(
            level=Level.NOTHING,
            reason="the next apply that changes something encrypts the state; it needs the passphrase from then on",
            when=lambda change: bool(change.new == "passphrase"),
            said="from none to passphrase",
        ),
        Case(
            level=Level.BY_HAND,
            reason="OpenTofu cannot read the encrypted state without its passphrase",
            remedy="decrypt the state first (docs/how-to/apply-with-opentofu.md, Encrypt the state)",
        ),
    ),
    "silence": (Case(level=Level.NOTHING, reason="it is read by `pgha validate` alone"),),
}
"""Engines begin with these."""
