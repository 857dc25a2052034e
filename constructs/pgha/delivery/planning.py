"""From a stack to a saved plan that may be applied: state put right, running objects taken over, data guarded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery import adoption
from pgha.delivery.changes import Action, Change, StackPlan, guard, read
from pgha.delivery.diagnostics import TofuError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.delivery.state import State
from pgha.delivery.tofu import Tofu

Say = Callable[[str], None]

_GUARDED = "Resource instance cannot be destroyed"
_OVERRIDE_FILE = "pgha_override.tf.json"
_APPLICATION = ("argoproj.io/v1alpha1", "Application")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A saved plan, what it does, and what had to be done to the state first."""

    path: Path
    plan: StackPlan
    notes: tuple[str, ...] = ()


def saved_plan(tofu: Tofu) -> Path:
    """Where a stack's plan waits to be applied. Git ignores it."""
    return tofu.folder / f"{tofu.folder.name}.tfplan"


def make(api: Api, cluster: Cluster, tofu: Tofu, say: Say, *, adopt: bool = False) -> Prepared:
    """Plan, and save the plan. No object is touched.

    Args:
        api: The server that runs the cluster, or will.
        cluster: What the stack was synthesized from.
        tofu: OpenTofu in the stack's folder.
        say: Hears the progress.
        adopt: Take over a cluster that runs and is in no state here.

    Raises:
        UserError: The state is another one's, something of ours belongs to a stranger, or OpenTofu fails.
    """
    notes = ["handed over the state that the last run could not write"] if tofu.rescue() else []
    if not adopt and is_stranger(api, cluster, tofu):
        raise UserError(
            f"cluster {cluster.name} runs, and the state of its stack does not know it",
            f"plan where its state is (backend in the cluster file), or take it over: pgha plan {cluster.name} --adopt",
        )
    state = tofu.state()
    for address in state.tainted():
        # Its creation was not seen to its end; replacing it would not bring that about, and could cost its data.
        tofu.untaint(address)
        notes.append(f"{tofu.stack.titles().get(address, address)} is not replaced: it was only not waited for")
    _refuse_two_owners(api, cluster, tofu, state)
    found = adoption.find(api, cluster, tofu.stack, state)
    if found.records:
        tofu.push(found.recorded(tofu.state()))
        notes += [f"noted {one.title} in the state as it is" for one, _ in found.records]
    extra = {adoption.IMPORTS_FILE: found.blocks()} if found.imports else {}
    out = saved_plan(tofu)
    try:
        tofu.plan(say, out, extra=extra)
    except TofuError as error:
        if not any(one.summary.startswith(_GUARDED) for one in error.diagnostics):
            raise
        # OpenTofu refuses without saying what else it would do. Our own guard judges the whole plan.
        tofu.plan(say, out, extra=extra | {_OVERRIDE_FILE: tofu.stack.unguarded()})
    return Prepared(path=out, plan=read(tofu.show(out)), notes=tuple(notes))


def apply(api: Api, tofu: Tofu, prepared: Prepared, named: frozenset[str], say: Say) -> list[str]:
    """Apply exactly this plan, if it destroys nothing that holds data but what is `named`; a line per change.

    The plan is used up, whatever becomes of it: OpenTofu takes none twice.

    Raises:
        UserError: The guard refuses, or OpenTofu fails; what it did is in its state.
    """
    guard(prepared.plan.changes, named)
    _refuse_cascade(api, prepared.plan)
    begun = _begun(tofu)
    begun.parent.mkdir(exist_ok=True)  # elsewhere with TF_DATA_DIR
    begun.touch()
    try:
        done = tofu.apply(say, prepared.path, prepared.plan.titles())
        begun.unlink(missing_ok=True)
    except TofuError as error:
        begun.unlink(missing_ok=True)
        held = _held(api, prepared.plan)
        if not held:
            raise
        raise UserError(
            "\n  ".join([error.what, *held]), "find out who should take the finalizer off, then run it again"
        ) from error
    finally:
        prepared.path.unlink(missing_ok=True)
    return done + [
        f"let go of {change.resource.title}, which runs on"
        for change in prepared.plan.changes
        if change.action is Action.FORGET
    ]


def holds_objects(tofu: Tofu) -> bool:
    """Whether the state holds anything.

    Raises:
        UserError: It cannot be read, or another OpenTofu works on it: to delete under its hands would end badly.
    """
    tofu.rescue()
    if not tofu.state().addresses():
        return False
    tofu.check_lock()
    return True


def destroy(tofu: Tofu, say: Say) -> StackPlan:
    """Destroy whatever the state still holds; returns what that was. Whoever calls has been told to by name."""
    tofu.rescue()
    out = saved_plan(tofu)
    try:
        tofu.plan(say, out, extra={_OVERRIDE_FILE: tofu.stack.unguarded()}, destroy=True)
        found = read(tofu.show(out))
        tofu.apply(say, out, found.titles())
    finally:
        out.unlink(missing_ok=True)
    return found


def is_stranger(api: Api, cluster: Cluster, tofu: Tofu) -> bool:
    """Whether the cluster runs and this state is not about it.

    OpenTofu writes its state some seconds after it has made something. So an apply that runs is asked for by its lock,
    and one that was killed by what it left.

    Raises:
        UserError: The state cannot be read, or somebody works on it.
    """
    if _begun(tofu).exists() or not adoption.is_stranger(api, cluster, tofu.state()):
        return False
    tofu.check_lock()
    return True


def _begun(tofu: Tofu) -> Path:
    """It is there while an apply runs, and after one that did not come to its end."""
    return tofu.folder / ".terraform" / "pgha-begun"


def _refuse_two_owners(api: Api, cluster: Cluster, tofu: Tofu, state: State) -> None:
    """With `delivery: tofu`, Argo CD must not apply the same objects."""
    if cluster.delivery != "tofu":
        return
    name, namespace = cluster.name, cluster.gitops.argocd_namespace
    known = [address for address in state.addresses() if address.startswith("kubernetes_manifest.application_")]
    if not known and api.read(*_APPLICATION, namespace, name) is not None:
        raise UserError(
            f"Argo CD still applies cluster {name} (Application {namespace}/{name})",
            f"delete that first; it deletes nothing else: kubectl -n {namespace} delete application {name} "
            "--cascade=orphan",
        )
    charts = [one for one in tofu.stack.resources() if one.kind == "Release" and one.address not in state.addresses()]
    if known and (missing := [one for one in charts if adoption.live(api, one) is None]):
        raise UserError(
            f"{missing[0].title} was installed by Argo CD, and Helm has no record of it to take over",
            "keep delivery: argocd, or move the data to a new cluster by a dump",
        )


def _refuse_cascade(api: Api, plan: StackPlan) -> None:
    """An Application with Argo CD's finalizer takes everything that it applied along."""
    for change in plan.changes:
        one = change.resource
        if change.action is not Action.DESTROY or (one.api_version, one.kind) != _APPLICATION:
            continue
        live = api.read(*_APPLICATION, one.namespace, one.name)
        held = [name for name in (live or {}).get("metadata", {}).get("finalizers") or [] if "argoproj.io" in name]
        if held:
            raise UserError(
                f"{one.title} has the finalizer {held[0]}: deleting it deletes the cluster with its data",
                f"take it off first: kubectl -n {one.namespace} patch application {one.name} --type=merge "
                """-p '{"metadata": {"finalizers": null}}'""",
            )


def _held(api: Api, plan: StackPlan) -> list[str]:
    """What should be gone and is held by somebody's finalizer."""
    try:
        return [line for change in plan.changes if (line := _finalizers(api, change))]
    except ApiError:
        return []


def _finalizers(api: Api, change: Change) -> str:
    one = change.resource
    if change.action not in {Action.DESTROY, Action.REPLACE} or not one.api_version:
        return ""
    meta = (api.read(one.api_version, one.kind, one.namespace, one.name) or {}).get("metadata", {})
    held = ", ".join(meta.get("finalizers") or [])
    return f"{one.title} is being deleted and is held by {held}" if held and "deletionTimestamp" in meta else ""
