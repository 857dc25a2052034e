"""The engines by name, and what one cluster file becomes: who owns which object."""

from dataclasses import dataclass

from pgha.config.model import Cluster
from pgha.engines.base import Engine, NotBuiltError, Requirement
from pgha.engines.cloudnative_pg import CloudNativePG
from pgha.resources.argocd import application
from pgha.resources.credentials import GeneratedSecret
from pgha.resources.metadata import Object

_ENGINES: dict[str, Engine] = {engine.name: engine for engine in (CloudNativePG(),)}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All objects of one cluster by owner; no object has two.

    The Namespace comes first, then `secrets`, then the rest.
    """

    secrets: list[GeneratedSecret]
    stack: list[Object]
    """What the OpenTofu stack (or the server-side apply) owns, in order."""
    tree: list[Object]
    """What Argo CD applies from Git; empty with `delivery: tofu`."""
    requirements: list[Requirement]


def engine_of(cluster: Cluster) -> Engine:
    """The engine that the file names.

    Raises:
        NotBuiltError: Its name is valid, but it is not built yet.
    """
    if cluster.engine not in _ENGINES:
        raise NotBuiltError(f"engine {cluster.engine} is not built yet", f"use engine: {' or '.join(_ENGINES)}")
    return _ENGINES[cluster.engine]


def plan(cluster: Cluster) -> Plan:
    """Turn a cluster file into objects, each with its one owner.

    `delivery: argocd` leaves to Argo CD what lies inside the cluster's namespace; the Namespace, the Secrets
    and what lies outside stay with the stack.

    Raises:
        NotBuiltError: The engine cannot do what the file asks for yet.
    """
    engine = engine_of(cluster)
    objects = list(engine.objects(cluster))
    requirements = list(engine.requirements(cluster))
    tree: list[Object] = []
    if cluster.delivery == "argocd":
        tree = [obj for obj in objects if obj["metadata"].get("namespace") == cluster.namespace]
        objects = [obj for obj in objects if obj not in tree] + application(cluster)
        requirements += [
            Requirement(api_version="argoproj.io/v1alpha1", kind=kind, brought_by="Argo CD")
            for kind in ("AppProject", "Application")
        ]
    return Plan(secrets=list(engine.secrets(cluster)), stack=objects, tree=tree, requirements=requirements)
