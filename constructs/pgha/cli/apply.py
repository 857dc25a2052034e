"""`pgha apply`: exactly the saved plan, if it destroys nothing that holds data."""

import json
from typing import Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.config import UserError
from pgha.engines import plan as desired

Destroy = Annotated[
    list[str] | None,
    typer.Option("--destroy", metavar="KIND/NAME", help="An object that holds data and may be destroyed; repeatable."),
]


def run(
    cluster: ClusterArgument,
    destroy: Destroy = None,
    kubeconfig: Kubeconfig = None,
    output: Output = Format.TEXT,
) -> None:
    """Apply exactly the plan that `pgha plan` saved.

    A plan that destroys or replaces what holds data is refused, with nothing changed, unless each such object is named.
    The plan is used up; what fails half-way is planned again from where it stands.

    Example: pgha plan lab && pgha apply lab
    """
    from pgha.cli.plan import begin
    from pgha.delivery import planning
    from pgha.delivery.changes import read
    from pgha.delivery.ownership import let_go
    from pgha.delivery.progress import Progress

    progress = Progress()
    source, api, _target, tofu = begin(cluster, kubeconfig, progress, start=False)
    path = planning.saved_plan(tofu)
    if not path.is_file():
        raise UserError(f"there is no plan for {source.cluster.name}", f"make one and read it: pgha plan {cluster}")
    plan = read(tofu.show(path))
    if plan.after != tofu.stack.record():
        raise UserError("the cluster file has changed since this plan was made", f"plan again: pgha plan {cluster}")
    with progress.phase("apply"):
        made = planning.Prepared(path=path, plan=plan)
        done = planning.apply(api, tofu, made, frozenset(destroy or []), progress.say)
        done += let_go(api, source.cluster, desired(source.cluster))
    if output is Format.JSON:
        facts = {"cluster": source.cluster.name, "changes": done, "seconds": round(progress.total, 1)}
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo("\n".join(done) or "nothing changed")
    typer.echo(f"done in {progress.total:.1f} s; wait and try it: pgha up {cluster}", err=True)
