"""`pgha up`: from a cluster file to a running cluster that has answered."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import Source, find
from pgha.engines import plan

if TYPE_CHECKING:  # what talks to Kubernetes is imported when the command runs
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.proof import Proof
    from pgha.delivery.target import Target
    from pgha.delivery.upward import Way

_VANTAGES: dict[Literal["cluster", "lan"], str] = {"cluster": "a pod", "lan": "the LAN"}


def run(
    cluster: ClusterArgument = "lab",
    kubeconfig: Kubeconfig = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait until it is ready.", min=1)] = 900,
    no_lan: Annotated[bool, typer.Option("--no-lan", help="Do not try a connection from the LAN.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Validate, synthesize, apply, wait, connect once from a pod and once from the LAN, print the endpoints.

    Without KUBECONFIG it starts the local three-node lab. A second run changes nothing and says so.

    Example: pgha up lab
    """
    from pgha.cli.report import endpoint_facts, login_facts, show_endpoints
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.target import choose

    progress = Progress()
    with progress.phase(f"validate {cluster}"):
        source = find(cluster)
    target = choose(kubeconfig, start=True)
    api = Api.connect(target.kubeconfig)
    way, changes = _applied(api, source, target, progress)
    summary = _waited(api, source, timeout, progress, changed=bool(changes))
    proofs = _proved(api, source, target, progress, lan=not no_lan)

    failed = [proof for proof in proofs if not proof.ok]
    if output is Format.JSON:
        facts = {
            "cluster": source.cluster.name,
            "namespace": source.cluster.namespace,
            "applied": {"by": way.name, "reason": way.reason, "changes": changes},
            "status": summary,
            "endpoints": endpoint_facts(source.cluster, target),
            "logins": login_facts(source.cluster),
            "proofs": [asdict(proof) for proof in proofs],
            "phases": progress.seconds,
            "seconds": round(progress.total, 1),
        }
        typer.echo(json.dumps(facts, indent=2))
    elif not failed:
        show_endpoints(source.cluster, target)
    for proof in failed:
        where = f"{_VANTAGES[proof.vantage]} to {proof.host}:{proof.port}"
        typer.echo(f"pgha: no connection from {where}: {proof.error}", err=True)
    typer.echo(f"{'failed' if failed else 'done'} in {progress.total:.1f} s", err=True)
    if failed:
        raise typer.Exit(1)


def _applied(api: "Api", source: Source, target: "Target", progress: "Progress") -> "tuple[Way, list[str]]":
    from pgha.delivery.ownership import take_from_argocd
    from pgha.delivery.preflight import check
    from pgha.delivery.upward import choose_way, deliver

    planned = plan(source.cluster)
    with progress.phase(f"check {api.server}"):
        check(api, source.cluster, planned)
        progress.note(f"Kubernetes {api.version}")
    way = choose_way(api, source.cluster, lambda: stack_folder(source, progress), target.kubeconfig)
    if way.name == "server-side":
        progress.note(f"applying server-side: {way.reason}")
    with progress.phase(f"apply ({way.name})"):
        gone = take_from_argocd(api, source.cluster) if way.tofu is None else []
        changes = gone + deliver(api, way, source.cluster, planned, progress.say)
    for change in changes or ["nothing changed"]:
        progress.note(change)
    return way, changes


def stack_folder(source: Source, progress: "Progress") -> Path:
    """The folder with this cluster's stack, brought up to date first; nothing is done where it is already."""
    from pgha.cli.output import TERRAFORM, Seal, only, synthesized, write

    folder = source.root / TERRAFORM / "stacks" / source.cluster.name
    seal = Seal(folder, source.cluster)
    if not seal.holds():
        with progress.phase("synthesize"):
            files = only(synthesized(source.root, [source.cluster]), source.root, [source.cluster])
            for path in write(files):
                progress.note(f"wrote {path.relative_to(source.root)}")
        seal.set()
    return folder


def _waited(api: "Api", source: Source, timeout: float, progress: "Progress", *, changed: bool) -> str:
    from pgha.delivery.argocd import unjudged, until_synced
    from pgha.delivery.ownership import let_go
    from pgha.delivery.waiting import until_ready
    from pgha.resources.argocd_health import command

    if source.cluster.delivery == "argocd":
        with progress.phase("wait for Argo CD"):
            synced = until_synced(api, source.cluster, plan(source.cluster), timeout=timeout, say=progress.say)
            progress.note(synced.summary)
            if unjudged(api, source.cluster):
                by_hand = command(source.cluster.gitops.argocd_namespace)
                progress.note(f"Argo CD lacks health rules: tofu apply of stack platform, or {by_hand}")
    for line in let_go(api, source.cluster, plan(source.cluster)):
        progress.note(line)
    with progress.phase("wait until ready"):
        found = until_ready(api, source.cluster, timeout=timeout, say=progress.say, changed=changed)
        progress.note(found.summary)
    return found.summary


def _proved(api: "Api", source: Source, target: "Target", progress: "Progress", *, lan: bool) -> "list[Proof]":
    from pgha.delivery.upward import prove

    proofs = []
    for vantage, where in _VANTAGES.items():
        if vantage == "lan" and not lan:
            continue
        with progress.phase(f"connect from {where}"):
            found = prove(api, source.cluster, target, vantage, progress.say)
            if found is None:
                progress.note("the cluster file offers no address there")
                continue
            proofs.append(found)
            if found.ok:
                facts = found.facts
                server = f"PostgreSQL {facts['server_version']}, {facts['tls']}"
                progress.note(f"{facts['user']}@{facts['database']} on {server}, through {found.host}")
    return proofs
