"""What Argo CD does with a cluster's Application: how far it is, in words, until it is done.

Argo CD's own record is read, never its web server: `status` of the Application (pkg/apis/application/v1alpha1/types.go
at v3.2.3).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.engines import Plan, engine_of
from pgha.resources.argocd import API_VERSION, CONTROLLER, PAUSED, REFRESH, TRACKING, WAVE, manifests_path
from pgha.resources.argocd_health import health
from pgha.resources.metadata import Object, describe

_POLL_SECONDS = 1.0
_REFRESH_SECONDS = 60.0
_ERROR_SECONDS = 20.0
"""An error that passes, such as a repository server that starts anew, is gone by then."""


_COMMIT = 40
"""Digits of a commit's name: a chart's source has its version where Git's has a commit."""

_REFUSED = {400, 422}
_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}


@dataclass(frozen=True, kw_only=True)
class State:
    """An Application's state. `ready`: what Git says is applied and well. `error` is set where waiting ends nothing."""

    summary: str
    ready: bool = False
    error: str = ""
    sync: str = "Unknown"
    health: str = "Unknown"
    revision: str = ""
    paused: str = ""
    problems: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What left Git and holds data: it stays, and the Application is in sync without it."""


def find(api: Api, cluster: Cluster) -> Object | None:
    """The live Application."""
    return api.read(API_VERSION, "Application", cluster.gitops.argocd_namespace, cluster.name)


def state(app: Object, tree: Sequence[Object]) -> State:
    """Judge an Application by what it records; `tree` says in which wave each object is."""
    status = app.get("status") or {}
    operation = status.get("operationState") or {}
    compared = status.get("sync") or {}
    facts: dict[str, Any] = {
        "sync": compared.get("status") or "Unknown",
        "health": (status.get("health") or {}).get("status") or "Unknown",
        "revision": revision(compared),
        "paused": "" if _automatic(app) else _note(app),
        "kept": [_name(entry) for entry in status.get("resources") or [] if entry.get("requiresPruning")],
        "problems": _refused(operation) if operation.get("phase") in {"Failed", "Error", "Running"} else [],
    }
    phase, message = operation.get("phase"), " ".join(str(operation.get("message") or "").split())
    errors = [entry for entry in status.get("conditions") or [] if str(entry.get("type")).endswith("Error")]
    if errors and facts["sync"] != "Synced":
        text = "; ".join(" ".join(str(entry.get("message")).split()) for entry in errors)
        return State(summary=text, error=text, **facts)
    if phase == "Running":
        return State(summary=_at_work(operation, tree) or message, **facts)
    if facts["sync"] != "Synced":
        changed = [_name(entry) for entry in status.get("resources") or [] if entry.get("status") == "OutOfSync"]
        differing = f"out of sync: {', '.join(changed) or 'not compared yet'}"
        if facts["paused"]:
            return State(summary=differing, error=f"paused, and {differing}", **facts)
        if phase in {"Failed", "Error"} and not _newer(status):
            return State(summary=message, error="; ".join([message, *facts["problems"]]), **facts)
        return State(summary=differing, **facts)
    if facts["health"] not in {"Healthy", "Suspended"}:
        return State(summary=f"in sync with {facts['revision']}, {facts['health'].lower()}", **facts)
    return State(summary=f"in sync with {facts['revision']}, {facts['health'].lower()}", ready=True, **facts)


def until_synced(api: Api, cluster: Cluster, planned: Plan, *, timeout: float, say: Callable[[str], None]) -> State:
    """Have Argo CD look at Git now, and wait until what is there is applied and well.

    A sync that still waits for an older commit's objects is ended where a newer commit is there: Argo CD by itself
    would wait for what may never come, and the commit that mends it would not be applied.

    Raises:
        UserError: Argo CD does not answer, or says why it cannot; the deadline passed; or what it applied is not what
        the cluster file says.
    """
    deadline, error_since = time.monotonic() + timeout, None
    refresh(api, cluster)
    while True:
        app = find(api, cluster) or {"metadata": {}}
        found = state(app, planned.tree)
        if found.ready:
            break
        say(found.summary)
        for pod in unwanted(api, cluster) if found.sync == "Synced" else ():
            api.delete(pod)
            say(f"deleted {describe(pod)}: it never ran, and waited for an image that the cluster file does not name")
        if _newer(app.get("status") or {}) and (app["status"].get("operationState") or {}).get("phase") == "Running":
            _end(api, cluster)
        error_since = (error_since or time.monotonic()) if found.error else None
        if error_since is not None and time.monotonic() - error_since > _ERROR_SECONDS:
            raise UserError(f"Argo CD cannot apply cluster {cluster.name}: {found.error}", _remedy(cluster, found))
        if time.monotonic() >= deadline:
            details = "\n  ".join([found.summary, *found.problems])
            raise UserError(f"Argo CD is not done after {timeout:.0f} s: {details}", "mend that and run it again")
        time.sleep(_POLL_SECONDS)
    _compare(api, cluster, planned, found)
    return found


def unjudged(api: Api, cluster: Cluster) -> bool:
    """Whether Argo CD lacks our health rules: it would then call a cluster degraded that only restarts."""
    rules = health(cluster.gitops.argocd_namespace)
    live = api.find(rules) or {}
    return not rules["data"].items() <= (live.get("data") or {}).items()


def applied(api: Api, cluster: Cluster) -> str | None:
    """The commit of the newest sync that came to its end; None where there was none."""
    history = ((find(api, cluster) or {}).get("status") or {}).get("history") or []
    newest = history[-1] if history else {}
    commits = [newest.get("revision"), *(newest.get("revisions") or [])]
    return next((str(commit) for commit in commits if commit and len(str(commit)) == _COMMIT), None)


def unwanted(api: Api, cluster: Cluster) -> list[Object]:
    """Servers' pods that wait for an image which nobody asks for any more: their operator waits for them in turn."""
    engine = engine_of(cluster)
    found = []
    for pod in api.list("v1", "Pod", cluster.namespace, engine.pods(cluster)):
        waiting = {
            entry["name"]: ((entry.get("state") or {}).get("waiting") or {}).get("reason")
            for entry in (pod.get("status") or {}).get("containerStatuses") or []
        }
        if any(
            waiting.get(container["name"]) in _NO_IMAGE and container["image"] != engine.client_image(cluster)
            for container in pod["spec"]["containers"]
        ):
            found.append({"apiVersion": "v1", "kind": "Pod"} | pod)
    return found


def refresh(api: Api, cluster: Cluster) -> None:
    """Have Argo CD compare with Git now, and wait until it has.

    Raises:
        UserError: There is no Application, or nobody looks at it.
    """
    app = find(api, cluster)
    if app is None:
        raise UserError(f"there is no Application {cluster.gitops.argocd_namespace}/{cluster.name}", _maker(cluster))
    api.merge(app, {"metadata": {"annotations": {REFRESH: "normal"}}})
    deadline = time.monotonic() + _REFRESH_SECONDS
    while REFRESH in ((find(api, cluster) or app)["metadata"].get("annotations") or {}):
        if time.monotonic() >= deadline:
            raise UserError(
                f"Argo CD has not looked at Application {cluster.name} for {_REFRESH_SECONDS:.0f} s",
                f"see whether its application controller runs in namespace {cluster.gitops.argocd_namespace}",
            )
        time.sleep(_POLL_SECONDS / 4)


def revision(compared: Object) -> str:
    """The commit that Argo CD compares with, abbreviated; the Git source's where there are several."""
    commits = [compared.get("revision"), *(compared.get("revisions") or [])]
    return next((str(commit)[:8] for commit in commits if commit and len(str(commit)) == _COMMIT), "no commit")


def _note(app: Object) -> str:
    note = (app["metadata"].get("annotations") or {}).get(PAUSED)
    return str(note or "by hand: its automated sync is switched off")


def _automatic(app: Object) -> bool:
    automated = ((app.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    return automated is not None and automated.get("enabled", True)


def _newer(status: Object) -> bool:
    """Whether Git has moved on since the last sync began."""
    begun = ((status.get("operationState") or {}).get("operation") or {}).get("sync") or {}
    target = status.get("sync") or {}
    keys = ("revision", "revisions")
    return bool(begun) and any(begun.get(key) and target.get(key) and begun[key] != target[key] for key in keys)


def _end(api: Api, cluster: Cluster) -> None:
    """What `argocd app terminate-op` does."""
    app = find(api, cluster)
    if app is not None and ((app.get("status") or {}).get("operationState") or {}).get("phase") == "Running":
        api.merge(app, {"status": {"operationState": {"phase": "Terminating"}}})


def _at_work(operation: Object, tree: Sequence[Object]) -> str:
    """`wave 1 of 3: Cluster db, waiting for …`: the wave in which the first unfinished object is."""
    waves = {(obj["kind"], obj["metadata"]["name"]): _wave(obj) for obj in tree}
    order = sorted(set(waves.values()))
    results = (operation.get("syncResult") or {}).get("resources") or []
    running = [entry for entry in results if entry.get("hookPhase") == "Running"]
    if not running or not order:
        return ""
    names = ", ".join(_name(entry) for entry in running)
    wave = min((waves.get((entry["kind"], entry["name"]), order[-1]) for entry in running), default=order[-1])
    again = f" (attempt {operation['retryCount'] + 1})" if operation.get("retryCount") else ""
    return f"wave {order.index(wave) + 1} of {len(order)}: {names}{again}"


def _wave(obj: Object) -> int:
    return int((obj["metadata"].get("annotations") or {}).get(WAVE, "0"))


def _refused(operation: Object) -> list[str]:
    """Each object that was not applied, with the server's reason."""
    results = (operation.get("syncResult") or {}).get("resources") or []
    return [
        f"{_name(entry)}: {' '.join(str(entry.get('message') or '').split())}"
        for entry in results
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in {"Failed", "Error"}
    ]


def _name(entry: Object) -> str:
    return f"{entry['kind']} {entry['name']}"


def _maker(cluster: Cluster) -> str:
    layout = cluster.gitops.layout
    if layout == "single":
        return "the stack makes it: pgha up, or tofu apply"
    path = f"{cluster.gitops.path.rstrip('/')}/{layout}.yaml"
    return f"its parent makes it: push the tree, and apply the parent once: kubectl apply --server-side -f {path}"


def _remedy(cluster: Cluster, found: State) -> str:
    if found.paused:
        return f"end the pause: pgha gitops resume {cluster.name}"
    return (
        f"commit {manifests_path(cluster)}, push it to {cluster.gitops.repo_url} ({cluster.gitops.target_revision}), "
        "and run it again"
    )


def _compare(api: Api, cluster: Cluster, planned: Plan, found: State) -> None:
    """Whether what Argo CD applied is what the file says: a tree that was not pushed is another one.

    The server is asked what would change if Argo CD applied this tree.
    """
    for obj in planned.tree:
        live = api.find(obj)
        if live is None or not _same(api, obj, live):
            raise UserError(
                f"{describe(obj)} is not what the cluster file says: Argo CD applied commit {found.revision}",
                _remedy(cluster, found),
            )


def _same(api: Api, obj: Object, live: Object) -> bool:
    meta = obj["metadata"]
    wanted = obj | {"metadata": meta | {"annotations": (meta.get("annotations") or {}) | _tracked(live)}}
    try:
        return _content(live) == _content(api.apply(wanted, dry_run=True, manager=CONTROLLER))
    except ApiError as error:
        if error.status not in _REFUSED:
            raise
        return False  # such as another template of a Job, which can never be changed


def _tracked(live: Object) -> dict[str, str]:
    notes = live["metadata"].get("annotations") or {}
    return {TRACKING: notes[TRACKING]} if TRACKING in notes else {}


def _content(obj: Object) -> Object:
    meta = {key: obj["metadata"].get(key) for key in ("labels", "annotations")}
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}} | {"metadata": meta}
