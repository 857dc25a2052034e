"""Everything that can be checked before the first write, so that a refusal leaves nothing changed."""

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import Plan
from pgha.resources.argocd import API_VERSION, TRACKING, folder
from pgha.resources.metadata import MANAGED_BY, Object

_INSTANCE = "app.kubernetes.io/instance"
_MANAGER = "app.kubernetes.io/managed-by"


def check(api: Api, cluster: Cluster, planned: Plan) -> None:
    """Ask the server, then its definitions, then whose the namespace is, then what it thinks of every object.

    Raises:
        UserError: The first thing that is in the way.
    """
    _ = api.version
    for needed in planned.requirements:
        if not api.knows(needed.api_version, needed.kind):
            raise UserError(
                f"{api.server} knows no {needed.kind} ({needed.api_version})",
                f"install {needed.brought_by}",
            )
    live = unclaimed(api, cluster)
    for obj in planned.stack:
        # Inside a namespace that does not exist yet nothing can be tried.
        if (live is not None or obj["metadata"].get("namespace") != cluster.namespace) and not is_settled(api, obj):
            api.apply(obj, dry_run=True)


def unclaimed(api: Api, cluster: Cluster) -> Object | None:
    """The cluster's live Namespace, once it is ours and nothing in Argo CD would take another delivery's work back.

    Raises:
        UserError: Another cluster, somebody else or a parent of the cluster's Application is in the way.
    """
    live = namespace_of(api, cluster)
    if cluster.delivery != "argocd":
        no_parent(api, cluster)
    return live


def is_settled(api: Api, obj: Object) -> bool:
    """Whether it is a Job that is there: its name says what it does, so another one is another Job.

    Nor could it be applied once OpenTofu has: the provider claims the fields by which the server selects its pods, and
    an apply without them would take them away.
    """
    return bool(obj["kind"] == "Job" and api.find(obj) is not None)


def no_parent(api: Api, cluster: Cluster) -> None:
    """That nothing in Argo CD makes the cluster's Application: deleted, it would be there again at once.

    Raises:
        UserError: An ApplicationSet or another Application makes it.
    """
    namespace = cluster.gitops.argocd_namespace
    live = api.read(API_VERSION, "Application", namespace, cluster.name)
    if live is None or (found := _parent(api, namespace, live)) is None:
        return
    kind, name = found
    without = (
        "the cluster file does not say gitops.layout: application-set"
        if kind == "ApplicationSet"
        else f"{folder(cluster)} is not"
    )
    raise UserError(
        f"{kind} {namespace}/{name} makes the Application of cluster {cluster.name}, and would make it again",
        f"push a commit in which {without}; when {name} has seen it, kubectl delete --ignore-not-found "
        f"--namespace={namespace} applications.argoproj.io/{cluster.name}; then run it again",
    )


def _parent(api: Api, namespace: str, app: Object) -> tuple[str, str] | None:
    """Kind and name of what made an Application, if that is still there; None where the stack or a person did."""
    meta = app["metadata"]
    owners = meta.get("ownerReferences") or []
    made = [(str(owner["kind"]), str(owner["name"])) for owner in owners if owner["kind"] == "ApplicationSet"]
    tracked = (meta.get("annotations") or {}).get(TRACKING, "").partition(":")[0]
    if tracked and tracked != meta["name"]:
        made.append(("Application", tracked))
    return next((each for each in made if api.read(API_VERSION, each[0], namespace, each[1])), None)


def namespace_of(api: Api, cluster: Cluster) -> Object | None:
    """The cluster's live Namespace, which must be ours: `down` deletes it with all that is in it.

    Raises:
        UserError: It belongs to another cluster, or to nobody we know.
    """
    live = api.read("v1", "Namespace", None, cluster.namespace)
    if live is None:
        return None
    if live["status"].get("phase") == "Terminating":
        raise UserError(f"namespace {cluster.namespace} is being deleted", "wait until it is gone, then run it again")
    labels = live["metadata"].get("labels") or {}
    if labels.get(_MANAGER) != MANAGED_BY:
        raise UserError(
            f"namespace {cluster.namespace} exists and was not made by pgha",
            f"choose another one, or hand it over: kubectl label namespace {cluster.namespace} "
            f"{_MANAGER}={MANAGED_BY} {_INSTANCE}={cluster.name}",
        )
    if labels.get(_INSTANCE) != cluster.name:
        owner = labels.get(_INSTANCE)
        raise UserError(
            f"namespace {cluster.namespace} belongs to cluster {owner}, not to {cluster.name}",
            "choose another namespace",
        )
    return live
