"""`pgha endpoints`: where clients connect, from the cluster file alone."""

import json

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find


def run(cluster: ClusterArgument = "lab", kubeconfig: Kubeconfig = None, output: Output = Format.TEXT) -> None:
    """Print the addresses of a cluster, and a line to connect with.

    They follow from the cluster file; no Kubernetes is asked. Where the lab is the one in use, its loopback
    addresses are shown too.

    Example: pgha endpoints lab
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
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        show_endpoints(found, target)
