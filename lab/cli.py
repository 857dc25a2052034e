"""lab: a real Kubernetes cluster on one Linux machine."""

import json
import os
import sys
from typing import Annotated

import typer

from lab import cgroups, cluster, kubernetes, node, relay
from lab.home import KUBECONFIG, locked
from lab.programs import Extra
from lab.steps import LabError, console
from lab.timers import Pace

_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_Extras = Annotated[
    list[Extra] | None, typer.Option("--with", help="What to have beside the cluster; may be given again.")
]

app = typer.Typer(
    name="lab",
    help="A real Kubernetes cluster on one Linux machine, made of namespaces: no container engine, no registry.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
node_app = typer.Typer(name="node", help="One node: pull its plug, start it again.", no_args_is_help=True)
app.add_typer(node_app)


@app.command()
def up(
    nodes: Annotated[
        int | None, typer.Option(help="How many nodes, 1 to 5; 3 unless the lab on disk has another number.")
    ] = None,
    timers: Annotated[
        Pace | None,
        typer.Option(
            help="How soon a dead node is noticed: after 8 s, or Kubernetes' own 50 s.",
        ),
    ] = None,
    extras: _Extras = None,
) -> None:
    """Build what is missing, start the cluster, wait until it is ready. Does nothing where it runs.

    Example: lab up --nodes 3 --with argocd
    """
    cluster.up(nodes, timers, extras or [])


@app.command()
def build(extras: _Extras = None) -> None:
    """Build all that `lab up` would, and start nothing.

    Example: lab build --with argocd
    """
    with locked():
        cluster.build(extras or [])


@app.command()
def down(everything: Annotated[bool, typer.Option("--all", help="Remove the cache too.")] = False) -> None:
    """Stop the cluster and remove all of it but the cache. Its databases are gone with it.

    Example: lab down
    """
    cluster.down(everything)


@app.command()
def status(output: Annotated[str, typer.Option(help="text or json")] = "text") -> None:
    """Say what runs. Exit code 0: all of it, 1: not all, 2: there is no lab.

    Example: lab status --output json
    """
    known = cluster.known()
    alive = {each.name: cgroups.init(each.name) is not None for each in cluster.members()}
    answers = alive.get("n1", False) and kubernetes.answers()
    ready = {name for name in kubernetes.ready_nodes() if alive.get(name)} if answers else set()
    facts = {
        "nodes": {name: "ready" if name in ready else "running" if up else "stopped" for name, up in alive.items()},
        "api": answers,
        "relay": relay.running(),
        "kubeconfig": str(KUBECONFIG),
        "timers": known.timers,
        "extras": known.extras,
    }
    if output == "json":
        typer.echo(json.dumps(facts))
    else:
        for name, state in facts["nodes"].items():  # type: ignore[attr-defined]
            typer.echo(f"{name:12} {state}")
        typer.echo(f"{'API server':12} {'ready' if answers else 'not ready'}")
        typer.echo(f"{'relay':12} {'running' if relay.running() else 'stopped'}")
    raise typer.Exit(0 if answers and relay.running() and len(ready) == len(alive) else 1)


@app.command()
def kubeconfig() -> None:
    """Print the path of the administrator's kubeconfig.

    Example: export KUBECONFIG=$(lab kubeconfig)
    """
    if not KUBECONFIG.exists():
        raise LabError("there is no lab here", "start one with `lab up`")
    typer.echo(str(KUBECONFIG))


@app.command("exec", context_settings=_PASS_ON)
def execute(
    name: Annotated[str, typer.Argument(metavar="NODE")],
    words: Annotated[list[str], typer.Argument(metavar="COMMAND...")],
) -> None:
    """Run a program on a node.

    Example: lab exec n1 ctr --namespace k8s.io containers list
    """
    _become(node.command(cluster.member(name), words))


@app.command("run-on-lan", context_settings=_PASS_ON)
def run_on_lan(words: Annotated[list[str], typer.Argument(metavar="COMMAND...")]) -> None:
    """Run a program of this machine as 192.168.10.1, a host on the LAN.

    Example: lab run-on-lan psql -h 192.168.10.100 -U app app
    """
    _become(node.command_on_lan(words))


@node_app.command()
def stop(name: str) -> None:
    """Kill a node at once, as a power cut would. Its disk stays.

    Example: lab node stop n2
    """
    cluster.stop_node(name)


@node_app.command()
def start(name: str) -> None:
    """Start a node again and wait until Kubernetes calls it Ready.

    Example: lab node start n2
    """
    cluster.start_node(name)


def _become(command: list[str]) -> None:
    words = [word for word in command if word != "--"] if command[-1] == "--" else command
    os.execvp(words[0], words)  # noqa: S606 - the caller's own program, with its exit code and signals


def main() -> None:
    """Run the command line: exit 0 done, 1 not all is well, 2 the user must mend something, 130 interrupted."""
    try:
        app()
    except LabError as error:
        console.print(f"lab: {error}", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        console.print("lab: interrupted; `lab up` continues, `lab down` cleans up")
        sys.exit(130)
