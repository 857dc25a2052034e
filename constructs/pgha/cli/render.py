"""`pgha render`: the plain objects that the stack (and Argo CD) would apply."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from pgha.cli.project import find
from pgha.engines import plan


class Format(StrEnum):
    """How objects are printed."""

    YAML = "yaml"
    JSON = "json"


def run(
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="A name under clusters/, or a path.")],
    output: Annotated[Format, typer.Option("--output", "-o", help="yaml, or json (one List).")] = Format.YAML,
) -> None:
    """Print the Kubernetes objects of a cluster, in the order in which they are applied.

    Secrets are left out: their passwords are made during the apply, and a diff against an empty one would be
    wrong. So are the objects that a chart makes. A comment names each.

    Example: pgha render lab | kubectl diff -f -
    """
    from pgha.gitops import to_yaml

    planned = plan(find(cluster).cluster)
    objects = [*planned.stack, *planned.tree]
    if output is Format.JSON:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
        return
    for secret in planned.secrets:
        typer.echo(f"# not shown: Secret {secret.namespace}/{secret.name} ({secret.type}), its password is generated")
    if planned.release is not None:
        chart = planned.release
        typer.echo(f"# not shown: what chart {chart.chart} {chart.version} makes, installed as {chart.name}")
    typer.echo(to_yaml(objects), nl=False)
