"""The engines by name, and what one cluster file becomes: who owns which object."""

from dataclasses import dataclass, field, replace

from pgha.config.model import Cluster
from pgha.engines.base import Engine, NotBuiltError, Release, Requirement, Traits
from pgha.engines.bitnami import Bitnami
from pgha.engines.bitnami.effects import RULEBOOK as BITNAMI
from pgha.engines.cloudnative_pg import CloudNativePG
from pgha.engines.cloudnative_pg.effects import RULEBOOK as CLOUDNATIVE_PG
from pgha.engines.effects import Effect, Rulebook, judge
from pgha.resources.argocd import KEEP, KEEP_IN_TREE, MADE_BY_STACK, WAVE, ChartSource, application
from pgha.resources.credentials import GeneratedSecret
from pgha.resources.metadata import Object

_ENGINES: dict[str, Engine] = {engine.name: engine for engine in (CloudNativePG(), Bitnami())}

RULEBOOKS: dict[str, Rulebook] = {"cloudnative-pg": CLOUDNATIVE_PG, "bitnami": BITNAMI}
"""What changes do, for every engine that a file may name: known before the engine itself is built."""


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
    argocd: list[Object] = field(default_factory=list)
    """The AppProject and the Application, whoever applies them."""
    release: Release | None = None
    """The chart beside the objects: the stack's with `delivery: tofu`, else Argo CD's."""


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
    release = engine.release(cluster)
    # In order of their waves, as both ways of delivery apply them.
    objects = sorted(engine.objects(cluster), key=lambda obj: engine.traits(obj).wave)
    requirements = list(engine.requirements(cluster))
    secrets = list(engine.secrets(cluster))
    tree: list[Object] = []
    argocd: list[Object] = []
    if cluster.delivery == "argocd":
        tree = [_synced(obj, engine.traits(obj)) for obj in objects if _is_argocds(cluster, obj)]
        # Argo CD before 3.0 takes for its own what carries its Application's name as a label, ours too; what is its
        # own and not in Git it would prune.
        objects = [_kept(cluster, obj) for obj in objects if not _is_argocds(cluster, obj)]
        secrets = [replace(secret, annotations=secret.annotations | KEEP) for secret in secrets]
        argocd = application(cluster, release=_source(release), kinds=_kinds(tree, release))
        objects += [obj for obj in argocd if obj["kind"] in MADE_BY_STACK[cluster.gitops.layout]]
        requirements += [
            Requirement(api_version="argoproj.io/v1alpha1", kind=kind, brought_by="Argo CD")
            for kind in ("AppProject", "Application")
        ]
    return Plan(secrets=secrets, stack=objects, tree=tree, argocd=argocd, requirements=requirements, release=release)


def _is_argocds(cluster: Cluster, obj: Object) -> bool:
    """What lies inside the cluster's namespace, except a volume claim.

    No prune may come near the dumps on it; and Argo CD would call the Application unhealthy until the first backup
    binds it.
    """
    return bool(obj["metadata"].get("namespace") == cluster.namespace and obj["kind"] != "PersistentVolumeClaim")


def _kept(cluster: Cluster, obj: Object) -> Object:
    """The object as the stack owns it beside Argo CD: inside the namespace nobody else may delete it."""
    if obj["metadata"].get("namespace") != cluster.namespace:
        return obj
    return obj | {"metadata": obj["metadata"] | {"annotations": (obj["metadata"].get("annotations") or {}) | KEEP}}


def _synced(obj: Object, traits: Traits) -> Object:
    """The object with what Argo CD must know: its wave, and that what holds data is never deleted."""
    notes = dict(obj["metadata"].get("annotations") or {})
    if traits.wave:
        notes[WAVE] = str(traits.wave)
    if traits.holds_data:
        notes |= KEEP_IN_TREE
    return obj | {"metadata": obj["metadata"] | ({"annotations": notes} if notes else {})}


def _kinds(tree: list[Object], release: Release | None) -> list[tuple[str, str]]:
    """API group and kind of all that Argo CD applies."""
    groups = {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj in tree}
    return sorted(groups | set(release.kinds if release else ()))


def _source(release: Release | None) -> ChartSource | None:
    if release is None:
        return None
    return ChartSource(
        name=release.name,
        chart=release.chart,
        version=release.version,
        repository=release.repository,
        values_name=release.values_name,
        ignored=release.ignored,
    )


def explain(before: Cluster, after: Cluster) -> list[Effect]:
    """What a change of the file does to the running cluster, the worst first; empty where nothing changes.

    The engine that runs it decides, so where the engine itself changes it is the old one.
    """
    return judge(RULEBOOKS[before.engine], before, after)
