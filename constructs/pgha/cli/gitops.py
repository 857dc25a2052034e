"""`pgha gitops`: what Argo CD does with a cluster, and how to make it pause."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find
from pgha.config import Cluster, UserError
from pgha.engines import plan

if TYPE_CHECKING:
    from pgha.delivery.kubernetes import Api

app = typer.Typer(name="gitops", help="What Argo CD does with a cluster: status, pause, resume.", no_args_is_help=True)


@app.command()
def status(cluster: ClusterArgument, kubeconfig: Kubeconfig = None, output: Output = Format.TEXT) -> None:
    """Say which commit runs, what differs or was refused and why, whether it is paused, and what was kept.

    Exits with 0 where Git is applied and well, else with 1; a pause counts as not well.

    Example: pgha gitops status postgres-cluster
    """
    from pgha.delivery.argocd import find as application
    from pgha.delivery.argocd import state

    api, found = _connected(cluster, kubeconfig)
    live = application(api, found)
    if live is None:
        raise UserError(f"there is no Application {found.gitops.argocd_namespace}/{found.name}", "pgha up makes it")
    facts = state(live, plan(found).tree)
    if output is Format.JSON:
        typer.echo(json.dumps({"cluster": found.name} | asdict(facts), indent=2))
    else:
        typer.echo(f"{found.name}: {facts.summary}")
        lines = [f"paused {facts.paused}; pgha gitops resume {found.name} ends it"] if facts.paused else []
        lines += [f"refused {problem}" for problem in facts.problems]
        lines += [f"kept {name}: it is not in Git any more and holds data" for name in facts.kept]
        typer.echo("\n".join(f"  {line}" for line in lines), nl=bool(lines))
    if not facts.ready or facts.paused:
        raise typer.Exit(1)


@app.command()
def pause(
    cluster: ClusterArgument,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for whoever sees it next.")] = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Have Argo CD apply nothing to this cluster until it is resumed: for work by hand.

    It goes on comparing, so what differs is seen. Nothing else ends the pause: no commit, no tofu apply, no pgha up.

    Example: pgha gitops pause postgres-cluster --reason "restore of table orders"
    """
    from pgha.delivery.pause import pause as stop

    api, found = _connected(cluster, kubeconfig)
    typer.echo(f"{found.name}: paused {stop(api, found, reason)}; pgha gitops resume {found.name} ends it")


@app.command()
def resume(cluster: ClusterArgument, kubeconfig: Kubeconfig = None) -> None:
    """Have Argo CD apply what Git says again, beginning with what was changed meanwhile.

    Example: pgha gitops resume postgres-cluster
    """
    from pgha.delivery.pause import resume as go_on

    api, found = _connected(cluster, kubeconfig)
    typer.echo(f"{found.name}: {'resumed' if go_on(api, found) else 'it was not paused'}")


def _connected(name: str, kubeconfig: Path | None) -> "tuple[Api, Cluster]":
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.target import choose

    cluster = find(name).cluster
    if cluster.delivery != "argocd":
        raise UserError(f"cluster {cluster.name} is not Argo CD's", "it has delivery: tofu")
    return Api.connect(choose(kubeconfig, start=False).kubeconfig), cluster
