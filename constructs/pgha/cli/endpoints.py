"""`pgha endpoints`: where clients connect, from the cluster file alone."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgha.cli.clients import Client
from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find
from pgha.config.model import Cluster

if TYPE_CHECKING:
    from pgha.delivery.target import Target


def run(
    cluster: ClusterArgument = "lab",
    kubeconfig: Kubeconfig = None,
    client: Annotated[
        Client | None, typer.Option("--client", help="Print what such a client needs, for every role and user.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Print the addresses of a cluster, and what clients need to connect: never a password, but where it is.

    They follow from the cluster file; no Kubernetes is asked. Where the lab is the one in use, its loopback
    addresses are shown too.

    Example: pgha endpoints lab --client jdbc
    """
    from pgha.cli.report import endpoint_facts, login_facts, show_endpoints
    from pgha.config import UserError
    from pgha.delivery.target import choose

    found = find(cluster).cluster
    try:
        target = choose(kubeconfig, start=False)
    except UserError:
        target = None
    if output is Format.JSON:
        facts = {
            "cluster": found.name,
            "endpoints": endpoint_facts(found, target),
            "logins": login_facts(found),
            "connections": _connections(found, target),
        }
        typer.echo(json.dumps(facts, indent=2))
    elif client is not None:
        for each in _connections(found, target):
            typer.echo(f"# {each['role']}, from {each['from']}, as {each['user']}\n{each[client.value]}\n")
    else:
        show_endpoints(found, target)
        typer.echo(f"\nOther clients: pgha endpoints {cluster} --client jdbc, psycopg or env")


def _connections(cluster: Cluster, target: "Target | None") -> list[dict[str, Any]]:
    """For every address and user the strings of every client; in the lab, as this machine reaches them."""
    from pgha.cli.clients import strings
    from pgha.delivery.target import relayed
    from pgha.engines import engine_of
    from pgha.resources.credentials import logins

    found = []
    for end in engine_of(cluster).endpoints(cluster):
        in_lab = target is not None and target.is_lab and end.vantage == "lan"
        host = (relayed(end.host, end.port) if in_lab else None) or end.host
        role = f"{end.role}{', pooled' if end.pooled else ''}"
        place = {"cluster": "pods", "lan": "the LAN"}[end.vantage]
        found += [
            {"role": role, "from": place, "user": way_in.user, "secret": f"{cluster.namespace}/{way_in.secret}"}
            | strings(cluster, end, way_in, host)
            for way_in in logins(cluster)
        ]
    return found
