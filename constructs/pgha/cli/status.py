"""`pgha status`: a cluster at a glance."""

import json
import time
from typing import Annotated, Any

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find

_EVERY_SECONDS = 2.0


def run(
    cluster: ClusterArgument = "lab",
    kubeconfig: Kubeconfig = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep it on the screen, until Ctrl-C.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Say who is the primary, who follows how closely, what is used, and what is in the way.

    Exit code 0: ready, 1: not ready. It asks each instance over its own socket, which needs the right to create
    pods/exec; without it roles and lag are left out.

    Example: pgha status lab --watch
    """
    from concurrent.futures import ThreadPoolExecutor

    from pgha.delivery.target import choose

    with ThreadPoolExecutor(1) as pool:  # to ask the lab takes as long as to load the rest
        target = pool.submit(choose, kubeconfig, start=False)
        from pgha.delivery.kubernetes import Api
        from pgha.verify.glance import glance

        found = find(cluster).cluster
    api = Api.connect(target.result().kubeconfig)
    if watch:
        _watch(lambda: glance(api, found))
        return
    facts = glance(api, found)
    if output is Format.JSON:
        typer.echo(json.dumps(facts, indent=2))
    else:
        from rich.console import Console

        Console(highlight=False, soft_wrap=True).print(_shown(facts))
    if not facts["ready"]:
        raise typer.Exit(1)


def _watch(question: Any) -> None:  # noqa: ANN401
    """Ask again and again; an API server that is away for a moment is said, and asked again."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from pgha.delivery.kubernetes import ApiError

    with Live(console=Console(highlight=False), auto_refresh=False) as screen:
        while True:
            try:
                screen.update(_shown(question()), refresh=True)
            except ApiError as error:
                if error.is_final:
                    raise
                screen.update(Text(error.what), refresh=True)
            time.sleep(_EVERY_SECONDS)


def _shown(facts: dict[str, Any]) -> Any:  # noqa: ANN401
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    mark = "✓" if facts["ready"] else "✗"
    head = Text(f"{mark} {facts['cluster']} ({facts['namespace']}): {facts['summary']}")
    table = Table(
        "Instance", "Role", "Node", "Lag", "Clients", "Volume", box=None, pad_edge=False, padding=(0, 3, 0, 0)
    )
    for each in facts["instances"]:
        table.add_row(
            each["pod"],
            each["role"] or ("not ready" if not each["ready"] else "?"),
            each["node"] or "none",
            "" if each["lag"] is None else f"{each['lag']:.1f} s",
            "" if each["clients"] is None else f"{each['clients']} of {each['max_connections']}",
            "" if each["storage"] is None else f"{each['storage']:.1%}",
        )
    lines = [
        f"{name}: {', '.join(each['addresses'] or [each['clusterIP']])}" for name, each in facts["endpoints"].items()
    ]
    if facts["last_backup"]:
        lines.append(f"last backup: {facts['last_backup']['name']}, {facts['last_backup']['at']}")
    if facts["argocd"]:
        lines.append(f"Argo CD: {facts['argocd']['summary']}")
        if facts["argocd"]["paused"]:
            lines.append(f"paused {facts['argocd']['paused']}; pgha gitops resume {facts['cluster']} ends it")
    lines += [f"not read: {reason}" for reason in facts["unread"]]
    lines += [each["error"] for each in facts["instances"] if each["error"]]
    return Group(head, table, *(Text(line) for line in [*lines, *facts["obstacles"]]))
