"""`pgha restore`: a new cluster from another one's backups, at a moment of one's choice."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgha.cli.options import ClusterArgument, Format, Kubeconfig, Output
from pgha.cli.project import find
from pgha.config import UserError, check
from pgha.config.files import FOLDER, SUFFIXES
from pgha.engines import engine_of

if TYPE_CHECKING:  # what talks to Kubernetes is imported when the command runs
    from datetime import datetime

    from pgha.config import Cluster
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress

At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="State of that moment, with date, time and zone; default: the newest."),
]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the new cluster, its namespace and its file.")]
WriteOnly = Annotated[bool, typer.Option("--write-only", help="Write the file and stop, to review it first.")]


def run(
    cluster: ClusterArgument,
    name: As,
    at: At = None,
    write_only: WriteOnly = False,
    kubeconfig: Kubeconfig = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait until it is ready.", min=1)] = 3600,
    output: Output = Format.TEXT,
) -> None:
    """Write the file of a new cluster that is made from CLUSTER's backups, and bring it up.

    CLUSTER itself is only read: it goes on running, and its backups stay as they are. The new cluster archives into a
    folder of its own. Interrupted, the same command continues.

    Example: pgha restore postgres-cluster --at "2026-11-21T17:05:00Z" --as postgres-cluster-1705
    """
    from pgha.backup.lending import lending
    from pgha.backup.restoring import outside, parsed, refuse, restored, text
    from pgha.cli.up import run as up
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.progress import Progress
    from pgha.delivery.target import choose

    found = find(cluster)
    source, path = found.cluster, found.path.parent / f"{name}.yaml"
    backups = engine_of(source).backups
    if not backups.makes_clusters:
        raise UserError(f"engine {source.engine} keeps dumps; a new cluster needs physical backups", backups.instead)
    moment, problems = parsed(at)
    made = restored(source, name, moment)
    problems += _faults(path, text(source, made))
    target = choose(kubeconfig, start=False)
    api, progress = Api.connect(target.kubeconfig), Progress()
    with progress.phase(f"look at the backups of {source.name}"):
        refuse([*problems, *outside(api, source, moment)])
        _reach(api, source, moment, progress)
    path.write_text(text(source, made), encoding="utf-8")
    progress.note(f"wrote {_shown(path)}")
    if write_only or made.delivery == "argocd":
        typer.echo(_next(found.path.parent.parent, name, argocd=made.delivery == "argocd"))
        return
    with lending(lambda: Api.connect(target.kubeconfig), source, made, backups.borrowed(made)):
        up(cluster=str(path), kubeconfig=kubeconfig, timeout=timeout, no_lan=False, output=output)


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path


def _faults(path: Path, content: str) -> list[str]:
    """What is wrong with the new file, alone and beside its neighbours, without writing it to its place."""
    if path.exists() and path.read_text(encoding="utf-8") != content:
        return [f"--as: must be a new name, got {path.stem}; {path} is another cluster's file"]
    others = [each for each in sorted(path.parent.iterdir()) if each.suffix in SUFFIXES and each.name != path.name]
    with tempfile.TemporaryDirectory(prefix="pgha-restore-") as folder:
        draft = Path(folder) / FOLDER / path.name
        draft.parent.mkdir()
        draft.write_text(content, encoding="utf-8")
        report = check([*others, draft])[-1]
    return [f"the new cluster's file: {problem.sentence}" for problem in report.errors]


def _reach(api: "Api", source: "Cluster", at: "datetime | None", progress: "Progress") -> None:
    """Bring the archive up to now; where that cannot be, say what it means, or refuse a moment that it has not."""
    from pgha.backup.restoring import archive_to_now
    from pgha.backup.server import Server

    if engine_of(source).primary(source, api.read) is None:
        progress.note("the original does not run: whether the moment is in its archive shows when it is recovered")
        return
    try:
        archive_to_now(api, source, progress.say)
    except UserError:
        last = Server(api, source).archiver().at
        if at is None or last is None or at >= last:
            raise
        progress.note(
            f"write-ahead log is not archived at the moment; the archive ends at {last:%Y-%m-%d %H:%M:%S} UTC"
        )


def _next(root: Path, name: str, *, argocd: bool) -> str:
    steps = [f"look at the file, then, in {root.resolve()}: pgha synth {name}"]
    if argocd:
        steps.append("commit and push what it writes: Argo CD applies what Git has")
    return "\n".join([*steps, f"pgha up {name}"])
