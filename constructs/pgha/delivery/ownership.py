"""Handing a running cluster from one owner to the other: OpenTofu or pgha on one side, Argo CD on the other.

Whoever applied an object stays recorded as an owner of its fields. With two recorded owners a field that leaves Git
(or the stack) stays in the object for ever, and nobody calls that a difference. So the old one lets go of everything
once the new one holds it: an apply that names the object and none of its fields.
"""

from collections.abc import Sequence

from pgha.config.model import Cluster
from pgha.delivery.kubernetes import FIELD_MANAGER, Api
from pgha.engines import Plan
from pgha.resources.argocd import API_VERSION, CONTROLLER
from pgha.resources.metadata import Object, describe, labels


def take_from_argocd(api: Api, cluster: Cluster) -> list[str]:
    """With `delivery: tofu`: delete a live Application and project of this cluster, and nothing with them.

    Before anything is applied, or Argo CD would take it back. Returns a line for each that was there.
    """
    if cluster.delivery == "argocd":
        return []
    gone = []
    for kind, name in (("Application", cluster.name), ("AppProject", cluster.project_name)):
        live = api.read(API_VERSION, kind, cluster.gitops.argocd_namespace, name)
        if live is None or not labels(cluster).items() <= (live["metadata"].get("labels") or {}).items():
            continue
        if live["metadata"].get("finalizers"):  # of somebody who wants the objects to go with it
            api.merge(live, {"metadata": {"finalizers": None}})
        api.delete(live)
        gone.append(f"deleted {describe(live)}, and nothing with it")
    return gone


def let_go(api: Api, cluster: Cluster, planned: Plan) -> list[str]:
    """Make the owner that the file names the only one; returns a line for each object that had another.

    Only for objects that the owner has applied already: what both hold stays as it is.
    """
    if cluster.delivery == "argocd":
        return _released(api, planned.tree, FIELD_MANAGER, CONTROLLER)
    return _released(api, planned.stack, CONTROLLER, FIELD_MANAGER)


def _released(api: Api, objects: Sequence[Object], old: str, new: str) -> list[str]:
    released = []
    for obj in objects:
        live = api.find(obj)
        owners = _owners(live) if live else set()
        if {old, new} <= owners:
            meta = {key: obj["metadata"][key] for key in ("name", "namespace") if key in obj["metadata"]}
            api.apply({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}, manager=old)
            released.append(f"{describe(obj)} is {new}'s alone")
    return released


def _owners(live: Object) -> set[str]:
    """Who has applied it server-side."""
    entries = live["metadata"].get("managedFields") or []
    return {str(entry["manager"]) for entry in entries if entry.get("operation") == "Apply"}
