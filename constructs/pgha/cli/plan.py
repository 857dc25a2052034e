"""`pgha plan`: what the next apply would do, in words, and the saved plan that does exactly that."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import Source, find
from pgha.config import Cluster, UserError
from pgha.engines import explain
from pgha.engines.effects import Effect, worst

if TYPE_CHECKING:
    from pgha.delivery.changes import Change, StackPlan
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.planning import Prepared
    from pgha.delivery.progress import Progress
    from pgha.delivery.target import Target
    from pgha.delivery.tofu import Tofu

Adopt = Annotated[bool, typer.Option("--adopt", help="Take over a cluster that runs and is in no state here.")]
Check = Annotated[bool, typer.Option("--check", help="Exit 1 if the plan would change anything.")]

_SHOWN = 12


def run(
    cluster: ClusterArgument,
    adopt: Adopt = False,
    check: Check = False,
    kubeconfig: Kubeconfig = None,
    output: Output = Format.TEXT,
) -> None:
    """Say what OpenTofu would do to the running cluster, and save the plan for `pgha apply`.

    No object is touched. What is destroyed and holds data is marked, with the option that `pgha apply` then asks for.
    Exits with 0; with --check, 1 where anything would change.

    Example: pgha plan lab && pgha apply lab
    """
    from pgha.delivery.planning import make
    from pgha.delivery.progress import Progress

    progress = Progress()
    source, api, _target, tofu = begin(cluster, kubeconfig, progress, start=False)
    with progress.phase("plan"):
        made = make(api, source.cluster, tofu, progress.say, adopt=adopt)
        for note in made.notes:
            progress.note(note)
    typer.echo(shown(source.cluster, made, output))
    if output is Format.TEXT and not made.plan.is_empty:
        typer.echo(f"saved; apply exactly this: pgha apply {cluster}{_options(made.plan.changes)}", err=True)
    if check and not made.plan.is_empty:
        raise typer.Exit(1)


def begin(
    cluster: str, kubeconfig: Kubeconfig, progress: "Progress", *, start: bool
) -> "tuple[Source, Api, Target, Tofu]":
    """A fresh stack, a server that could take it, and OpenTofu ready in the stack's folder.

    Raises:
        UserError: One of them is missing.
    """
    from pgha.cli.up import stack_folder
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.preflight import unclaimed
    from pgha.delivery.target import choose
    from pgha.delivery.tofu import prepare

    source = find(cluster)
    target = choose(kubeconfig, start=start)
    api = Api.connect(target.kubeconfig)
    with progress.phase(f"check {api.server}"):
        unclaimed(api, source.cluster)
    tofu, reason = prepare(stack_folder(source, progress), target.kubeconfig)
    if tofu is None:
        raise UserError(
            f"there is nothing to plan with: {reason}",
            f"mend that; without OpenTofu: pgha render {cluster} | kubectl diff -f -",
        )
    return source, api, target, tofu


def shown(cluster: Cluster, made: "Prepared", output: Format) -> str:
    """The plan for people or for programs."""
    effects = _effects(cluster, made.plan.before)
    if output is Format.JSON:
        return json.dumps(_facts(cluster, made, effects), indent=2, ensure_ascii=False)
    return "\n".join(_lines(cluster, made.plan, effects))


def _effects(cluster: Cluster, before: Mapping[str, Any] | None) -> list[Effect] | None:
    """What the change of the file does; None where the state does not say which file runs."""
    if before is None:
        return None
    try:
        return explain(
            Cluster.model_validate({**before, "backend": cluster.backend, "silence": cluster.silence}), cluster
        )
    except ValueError:  # written by a version with other keys
        return None


def _facts(cluster: Cluster, made: "Prepared", effects: list[Effect] | None) -> dict[str, Any]:
    return {
        "cluster": cluster.name,
        "plan": str(made.path),
        "notes": made.notes,
        "changes": [
            {
                "action": change.action,
                "object": change.resource.title,
                "address": change.resource.address,
                "holds": change.loss or None,
                "destroy": f"--destroy {change.resource.handle}" if change.loss else None,
                "why": change.why or None,
                "fields": [{"path": field.path, "old": field.old, "new": field.new} for field in change.fields],
            }
            for change in made.plan.changes
        ],
        "worst": worst(effects) if effects is not None else None,
        "effects": None
        if effects is None
        else [
            {"path": one.path, "level": one.level, "old": one.old, "new": one.new, "reason": one.reason}
            for one in effects
        ],
    }


def _lines(cluster: Cluster, plan: "StackPlan", effects: list[Effect] | None) -> Iterable[str]:
    if plan.is_empty:
        yield f"{cluster.name}: nothing changes, what runs is what the file says"
        return
    count = "1 object" if len(plan.changes) == 1 else f"{len(plan.changes)} objects"
    yield f"{cluster.name}: {count}" + (f", at worst: {worst(effects)}" if effects else "")
    for change in plan.changes:
        yield from _change(change)
    if effects is None and any(change.fields for change in plan.changes):
        yield ""
        yield f"no record says which file runs, so not what this does to the servers: pgha explain {cluster.name}"
    for effect in effects or []:
        yield ""
        yield f"{effect.level}: {effect.path}: {effect.old} → {effect.new}"
        yield f"  {effect.reason}"
        if effect.remedy:
            yield f"  do: {effect.remedy}"


def _change(change: "Change") -> Iterable[str]:
    from pgha.delivery.changes import Action
    from pgha.delivery.stack import FOREIGN

    said = {
        Action.ADOPT: ", as it runs" if not change.fields else "",
        Action.FORGET: ", which runs on in other hands",
        Action.CHANGE: ""
        if change.fields or change.resource.kind == FOREIGN
        else ": none of its fields, only OpenTofu's notes about it",
    }
    why = f" ({change.why})" if change.why else ""
    yield f"  {change.action:<8} {change.resource.title}{said.get(change.action, '')}{why}"
    if change.loss:
        yield f"           LOSES {change.loss}; asked for by name: --destroy {change.resource.handle}"
    for field in change.fields[:_SHOWN]:
        yield f"           {field.path}: {_value(field.old)} → {_value(field.new)}"
    if len(change.fields) > _SHOWN:
        yield f"           and {len(change.fields) - _SHOWN} more fields (all of them: --output json)"


def _value(value: object) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value)
    first, _, rest = text.partition("\n")
    return f"{first}…" if rest else first


def _options(changes: "Iterable[Change]") -> str:
    return "".join(f" --destroy {change.resource.handle}" for change in changes if change.loss)
