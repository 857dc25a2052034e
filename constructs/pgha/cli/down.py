"""`pgha down`: delete a cluster and its data, when its name is given twice."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import Source, find
from pgha.config import Cluster, UserError
from pgha.engines import engine_of, plan

if TYPE_CHECKING:
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.tofu import Tofu

_ARCHIVE_SECONDS = 60.0
"""How long somebody waits for an archive who has given the cluster up."""


def run(
    cluster: ClusterArgument,
    destroy: Annotated[
        str | None,
        typer.Option("--destroy", metavar="NAME", help="The cluster's name: yes, delete its data."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds until everything must be gone.", min=1)] = 300,
    output: Output = Format.TEXT,
) -> None:
    """Delete a cluster, its data, Secrets, addresses and namespace, and wait until they are gone.

    Where write-ahead log is archived, the last of it goes to the store first, for at most a minute. Operators, backups
    outside the cluster, retained volumes and the cluster file stay. The lab keeps running: lab down.

    Example: pgha down lab --destroy lab
    """
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.preflight import namespace_of, no_parent
    from pgha.delivery.progress import Progress
    from pgha.delivery.removal import left, remove
    from pgha.delivery.target import choose

    source = find(cluster)
    _confirm(source.cluster.name, destroy)
    progress = Progress()
    target = choose(kubeconfig, start=False)
    api = Api.connect(target.kubeconfig)
    with progress.phase(f"check {api.server}"):
        no_parent(api, source.cluster)
        live = namespace_of(api, source.cluster)
        tofu = _with_state(source, target.kubeconfig)
    stays = left(api, source.cluster, "" if live is None else _until(api, source.cluster, progress))
    with progress.phase(f"delete cluster {source.cluster.name}"):
        removed = remove(api, source.cluster, plan(source.cluster), timeout=timeout, say=progress.say)
        if tofu is not None:
            # What the file of today does not name any more; all else is gone, and the state learns it.
            from pgha.delivery.planning import destroy as destroy_rest

            removed += [change.resource.title for change in destroy_rest(tofu, progress.say).changes]
            stays.append(f"the state of stack {source.cluster.name}, which is empty")
    if output is Format.JSON:
        facts = {
            "cluster": source.cluster.name,
            "removed": removed,
            "left": stays,
            "seconds": round(progress.total, 1),
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo("\n".join([f"deleted {name}" for name in removed] or ["nothing to delete: the cluster is not there"]))
    typer.echo("\n".join(f"left {name}" for name in [*stays, "the operators, and the cluster file"]))
    typer.echo(f"done in {progress.total:.1f} s", err=True)


def _confirm(name: str, given: str | None) -> None:
    """The name must be given: as an option, or typed where somebody sits at the terminal."""
    if given is None and sys.stdin.isatty():
        given = typer.prompt(f"This deletes cluster {name} and its data. Type its name to go on", err=True)
    if given is None:
        raise UserError(f"down deletes cluster {name} and its data", f"say so by name: --destroy {name}")
    if given != name:
        raise UserError(f"the cluster's name is {name}, not {given}", "nothing was deleted; name the right one")


def _until(api: "Api", cluster: Cluster, progress: "Progress") -> str:
    """Until when the backups go, once the last writes were archived; who has named the cluster is not held up."""
    from pgha.backup.restoring import archive_to_now

    if cluster.backup is None or engine_of(cluster).backups.kind != "physical":
        return ""
    now = datetime.now(UTC)
    with progress.phase("archive the last writes"):
        try:
            archive_to_now(api, cluster, progress.say, seconds=_ARCHIVE_SECONDS)
        except UserError as error:
            progress.note(f"not archived: {error.what}")
            return ", without the last writes"
    return f", until {now:%Y-%m-%d %H:%M:%S} UTC"


def _with_state(source: Source, kubeconfig: Path | None) -> "Tofu | None":
    """OpenTofu where its state knows of this cluster; asked before anything is deleted.

    Raises:
        UserError: The state cannot be read, or somebody works on it.
    """
    from pgha.cli.output import TERRAFORM
    from pgha.delivery.planning import holds_objects
    from pgha.delivery.tofu import prepare

    folder = source.root / TERRAFORM / "stacks" / source.cluster.name
    tofu, _ = prepare(folder, kubeconfig) if (folder / "cdk.tf.json").is_file() else (None, "")
    return tofu if tofu is not None and holds_objects(tofu) else None
