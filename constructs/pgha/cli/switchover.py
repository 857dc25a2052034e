"""`pgha switchover`: another instance becomes the primary."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find


def run(
    cluster: ClusterArgument,
    to: Annotated[str | None, typer.Option("--to", metavar="INSTANCE", help="The pod that takes over.")] = None,
    kubeconfig: Kubeconfig = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds until the cluster must be whole.", min=1)] = 300,
    output: Output = Format.TEXT,
) -> None:
    """Make another instance the primary, in order: no acknowledged write is lost. Writes wait for some seconds.

    Without --to the first standby by name that is ready. A cluster that is not whole is left alone.

    Example: pgha switchover lab --to lab-2
    """
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.switchover import switch_over
    from pgha.delivery.target import choose

    source = find(cluster)
    api = Api.connect(choose(kubeconfig, start=False).kubeconfig)
    progress = Progress()
    with progress.phase(f"switch over {source.cluster.name}"):
        done = switch_over(api, source.cluster, to, timeout=timeout, say=progress.say)
    if output is Format.JSON:
        typer.echo(json.dumps({"cluster": source.cluster.name, **asdict(done)}, indent=2))
    elif done.before == done.after:
        typer.echo(f"{done.after} is the primary already: nothing to do")
    else:
        typer.echo(f"{done.after} is the primary, {done.before} follows it; whole again after {done.seconds} s")
