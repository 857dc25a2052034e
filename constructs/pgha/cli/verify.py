"""`pgha verify`: does the running cluster keep what it promises?"""

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find

if TYPE_CHECKING:  # what talks to Kubernetes is imported when the command runs
    from pgha.delivery.progress import Progress
    from pgha.verify.registry import Check
    from pgha.verify.running import Report
    from pgha.verify.sources import Sources


def run(
    cluster: ClusterArgument = "lab",
    kubeconfig: Kubeconfig = None,
    only: Annotated[str, typer.Option("--only", help="Ids or criteria, with commas: SC-003,FR-*.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the checks and run none.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write index.html, report.json and junit.xml there.", metavar="DIR")
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Also write, into a schema of its own that is removed afterwards, and use up the connections for a "
            "moment.",
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Record availability until Ctrl-C; it resumes.")] = False,
    no_lan: Annotated[
        bool, typer.Option("--no-lan", help="This machine is not on the LAN: measure pods alone.")
    ] = False,
    client_image: Annotated[
        str, typer.Option("--client-image", help="Image with Python 3.11 or newer for the pod that measures.")
    ] = "",
    output: Output = Format.TEXT,
) -> None:
    """Check every promise of the specification on the running cluster, from the LAN and from a pod.

    Without --write it only reads. It asks each instance over its own socket, which needs the right to create
    pods/exec, and makes one Job, which it removes. Exit code 0: all that was measured is kept, 1: a promise is broken,
    2: something could not be read.

    Example: pgha verify lab --only 'SC-*' --report out
    """
    from pgha.verify.registry import chosen

    checks = chosen(only.split(","))
    if list_:
        _list(checks, output)
        return
    from pgha.cli.verdicts import show
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.target import choose
    from pgha.verify import ledger, pod, running
    from pgha.verify.report import files
    from pgha.verify.sources import Sources

    source = find(cluster)
    target = choose(kubeconfig, start=False)
    progress = Progress()
    probes = ledger.place(source.root, source.cluster.name)
    sources = Sources(
        api=Api.connect(target.kubeconfig),
        cluster=source.cluster,
        target=target,
        path=source.path,
        image=client_image or pod.IMAGE,
        write=write,
        lan=not no_lan,
        before=files.before(report),
        probes=probes,
        say=progress.say,
    )
    if watch:
        _watch(sources, probes, progress)
        return
    # A CI system that cancels a job says it so: what is ours in the cluster is removed then too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = running.run(sources, checks, progress.phase)
    if output is Format.JSON:
        typer.echo(json.dumps(found.facts(), indent=2))
    else:
        show(found)
    if report is not None:
        for path in files.write(report, found.facts()):
            progress.note(f"wrote {path}")
    _end(found)


def _watch(sources: "Sources", probes: Path, progress: "Progress") -> None:
    from pgha.verify.watching import watch

    progress.note(f"recording to {probes}; Ctrl-C ends it, the same command goes on")
    with progress.phase("watch"):
        watch(sources, probes, progress.say)


def _end(found: "Report") -> None:
    if found.outcome == "broken":
        raise typer.Exit(1)
    if found.outcome == "unknown":
        raise typer.Exit(2)


def _list(checks: "list[Check]", output: Format) -> None:
    if output is Format.JSON:
        facts = [
            {
                "id": each.id,
                "title": each.title,
                "source": each.source,
                "severity": each.severity,
                "vantage": each.vantage,
                "needs": list(each.needs),
            }
            for each in checks
        ]
        typer.echo(json.dumps(facts, indent=2))
        return
    for each in checks:
        typer.echo(f"{each.id:<17} {each.severity:<9} {each.vantage:<6} {each.title}")
