"""Objects that run and are in no state: found, checked for whose they are, and handed to OpenTofu as they are.

An object is imported by a block beside the stack, for one plan. A Secret is not: an import reads its passwords into the
state and the next apply replaces them, so the state gets a record of its name and revision instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.delivery.stack import Resource, Stack
from pgha.delivery.state import State
from pgha.resources.metadata import REVISION, Object, labels

IMPORTS_FILE = "pgha_adopt.tf.json"
_NAMESPACE = "kubernetes_namespace_v1.namespace"
_SECRET = "kubernetes_secret_v1."  # noqa: S105 - the type of a resource


@dataclass(frozen=True)
class Adoption:
    """What runs and is to be taken over: by import, and as a record in the state (with its revision)."""

    imports: tuple[Resource, ...] = ()
    records: tuple[tuple[Resource, int], ...] = ()

    def blocks(self) -> dict[str, object]:
        """The import blocks as a file beside the stack."""
        return {"import": [{"to": one.address, "id": one.import_id} for one in self.imports]}

    def recorded(self, state: State) -> State:
        """The state with the Secrets in it."""
        for one, revision in self.records:
            state = state.with_secret(one.address, one.namespace or "", one.name, revision)
        return state


def is_stranger(api: Api, cluster: Cluster, state: State) -> bool:
    """Whether the cluster runs and this state is not about it: it was applied server-side, by hand, or elsewhere."""
    live = api.read("v1", "Namespace", None, cluster.namespace)
    known = state.attributes(_NAMESPACE)
    if live is None:
        return False
    return known is None or (known.get("metadata") or [{}])[0].get("uid") != live["metadata"]["uid"]


def find(api: Api, cluster: Cluster, stack: Stack, state: State) -> Adoption:
    """Everything of the stack that runs and is not in the state.

    Raises:
        UserError: Something outside the cluster's namespace exists under our name and is not this cluster's.
    """
    known = state.addresses()
    imports: list[Resource] = []
    records: list[tuple[Resource, int]] = []
    strangers: list[Resource] = []
    for one in stack.resources():
        if one.address.startswith(_SECRET):
            found = live(api, one)
            if found is not None and (revision := _revision(found, one, stack, state)) is not None:
                records.append((one, revision))
        elif one.address not in known and (found := live(api, one)) is not None:
            (imports if _is_ours(found, one, cluster) else strangers).append(one)
    _refuse(strangers, cluster)
    return Adoption(tuple(imports), tuple(records))


def live(api: Api, one: Resource) -> Object | None:
    """The running object behind a resource, if there is one."""
    if one.kind == "Release":  # Helm's own record of it; what a chart made without one cannot be imported
        found = api.list("v1", "Secret", one.namespace, {"owner": "helm", "name": one.name})
        return found[0] if found else None
    return api.read(one.api_version, one.kind, one.namespace, one.name)


def _revision(live: Object, one: Resource, stack: Stack, state: State) -> int | None:
    """The revision to record for a running Secret; None where the state has it right.

    Passwords that were renewed without OpenTofu carry the new revision: recorded, they are not renewed once more.
    """
    wanted = stack.revision(one.address)
    noted = (live["metadata"].get("annotations") or {}).get(REVISION, "")
    revision = int(noted) if noted.isdigit() and int(noted) > 0 else wanted
    known = (state.attributes(one.address) or {}).get("data_wo_revision")
    if known is None:
        return revision
    return revision if noted and revision == wanted != known else None


def _is_ours(live: Object, one: Resource, cluster: Cluster) -> bool:
    """What lies in the cluster's own namespace is the cluster's; elsewhere its labels must say so."""
    if one.namespace == cluster.namespace or one.kind == "Namespace":  # whose that is has been asked before
        return True
    return labels(cluster).items() <= (live["metadata"].get("labels") or {}).items()


def _refuse(strangers: Sequence[Resource], cluster: Cluster) -> None:
    if not strangers:
        return
    words = " ".join(f"{key}={value}" for key, value in labels(cluster).items())
    hand_over = [f"kubectl label {one.kind} -n {one.namespace} {one.name} {words}" for one in strangers]
    raise UserError(
        f"{', '.join(one.title for one in strangers)} exists and is not this cluster's",
        f"choose another name, or hand it over: {'; '.join(hand_over)}",
    )
