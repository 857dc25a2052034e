"""`pgha diff`: what a commit does to the running cluster, as Markdown for a pull request."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pgha.cli.explain import cell, code, markdown
from pgha.cli.options import ClusterArgument, Kubeconfig
from pgha.cli.project import find
from pgha.cli.revisions import load_at
from pgha.config import Cluster, UserError
from pgha.engines import explain
from pgha.engines.effects import Effect, Level, worst
from pgha.gitops.difference import Difference, differences

_SHOWN = 200
"""Lines of an object's diff; a dashboard has thousands."""


class Format(StrEnum):
    """How the difference is printed."""

    MARKDOWN = "markdown"
    JSON = "json"


def run(
    cluster: ClusterArgument,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REV", help="Git revision that runs; default: the one Argo CD applied."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="markdown, or json for programs.")] = Format.MARKDOWN,
) -> None:
    """Say what the file as it is would do to the cluster that runs: effects, and objects in the order of application.

    Exits with 0, or with 1 where something is refused because it cannot be done to a running cluster.

    Example: pgha diff postgres-cluster --against origin/main
    """
    source = find(cluster)
    revision = against or _running(source.cluster, kubeconfig)
    before = _before(revision, source.path)
    effects = explain(before, source.cluster) if before else []
    objects = differences(before, source.cluster)
    title = f"{cluster}, {revision} → the working tree"
    if output is Format.JSON:
        facts = {
            "cluster": source.cluster.name,
            "against": revision,
            "new": before is None,
            "worst": worst(effects),
            "effects": [asdict(effect) for effect in effects],
            "objects": [asdict(each) for each in objects],
        }
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        typer.echo(_page(source.cluster, title, effects if before else None, objects))
    if any(effect.level is Level.REFUSED for effect in effects):
        raise typer.Exit(1)


def _running(cluster: Cluster, kubeconfig: Path | None) -> str:
    """The commit that Argo CD applied last."""
    if cluster.delivery != "argocd":
        raise UserError("with delivery: tofu nothing records the commit that runs", "name it: --against REV")
    from pgha.delivery.argocd import applied
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.target import choose

    commit = applied(Api.connect(choose(kubeconfig, start=False).kubeconfig), cluster)
    if commit is None:
        raise UserError(f"Argo CD has not applied cluster {cluster.name} yet", "name a revision: --against REV")
    return commit


def _before(revision: str, path: Path) -> Cluster | None:
    """The cluster as that revision had it; None where it had none."""
    try:
        return load_at(revision, path)
    except UserError as error:
        if "has no file" in error.what:
            return None
        raise


def _page(cluster: Cluster, title: str, effects: Sequence[Effect] | None, objects: Sequence[Difference]) -> str:
    if effects is None:
        lines = [f"### {cell(cluster.name)}: a new cluster", "", cell(title)]
    else:
        lines = [markdown(cluster, title, effects)]
    if objects:
        lines += ["", "| order | by | object | is |", "|---|---|---|---|"]
        lines += [f"| {_order(each)} | {each.by} | {code(each.name)} | {_IS[each.happens]} |" for each in objects]
    for each in objects:
        if each.happens == "changed" and each.diff:
            lines += ["", f"<details><summary>{cell(each.name)}</summary>", "", *_fenced(each.diff), "", "</details>"]
    return "\n".join(lines)


def _order(each: Difference) -> str:
    return "first" if each.by == "stack" else f"wave {each.wave}"


def _fenced(diff: str) -> list[str]:
    lines = diff.splitlines()
    more = [f"… {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    fence = "`" * 4  # no YAML of ours holds four in a row
    return [f"{fence}diff", *lines[:_SHOWN], *more, fence]


_IS = {
    "created": "created",
    "changed": "changed",
    "deleted": "**deleted**",
    "kept": "kept as it is, and not Git's any more: it holds data",
}
