"""A pause: Argo CD goes on comparing, and applies nothing, until somebody resumes it.

`automated.enabled: false` is Argo CD's own switch. No owner of an Application writes that field, so neither OpenTofu
nor a parent Application that heals itself takes it back; since when and why stands in an annotation beside it.
"""

from datetime import UTC, datetime

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.argocd import find
from pgha.delivery.kubernetes import Api
from pgha.resources.argocd import PAUSED
from pgha.resources.metadata import Object


def pause(api: Api, cluster: Cluster, reason: str) -> str:
    """Stop applying; returns what stands in the annotation. A pause that is there already stays as it is.

    Raises:
        UserError: There is no Application.
    """
    app = _application(api, cluster)
    before = (app["metadata"].get("annotations") or {}).get(PAUSED)
    if before and not _enabled(app):
        return str(before)
    note = f"since {datetime.now(UTC):%Y-%m-%dT%H:%MZ}" + (f": {reason}" if reason else "")
    _switch(api, app, enabled=False, note=note)
    return note


def resume(api: Api, cluster: Cluster) -> bool:
    """Apply again, beginning with what has changed meanwhile; False where there was no pause.

    Raises:
        UserError: There is no Application.
    """
    app = _application(api, cluster)
    was_paused = not _enabled(app) or PAUSED in (app["metadata"].get("annotations") or {})
    if was_paused:
        _switch(api, app, enabled=None, note=None)
    return was_paused


def _application(api: Api, cluster: Cluster) -> Object:
    app = find(api, cluster)
    if app is None:
        raise UserError(f"there is no Application {cluster.gitops.argocd_namespace}/{cluster.name}", "pgha up makes it")
    return app


def _enabled(app: Object) -> bool:
    return ((app["spec"].get("syncPolicy") or {}).get("automated") or {}).get("enabled") is not False


def _switch(api: Api, app: Object, *, enabled: bool | None, note: str | None) -> None:
    change = {
        "metadata": {"annotations": {PAUSED: note}},
        "spec": {"syncPolicy": {"automated": {"enabled": enabled}}},
    }
    api.merge(app, change)
