"""`pgha backup`: make one now, list them, prove that the last one can be restored."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgha.cli.options import Format, Kubeconfig, Output
from pgha.cli.project import find
from pgha.config import Cluster, UserError
from pgha.engines import engine_of

if TYPE_CHECKING:  # what talks to Kubernetes is imported when the command runs
    from pgha.backup.listing import Listing
    from pgha.backup.proving import Proven
    from pgha.backup.server import Archiver
    from pgha.engines.backups import Backup, Stored

_VERBS = ("list", "prove")

Words = Annotated[
    list[str],
    typer.Argument(metavar="[list|prove] CLUSTER", help="What to do (default: make a backup), and a cluster."),
]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds until it must have ended.", min=1)]


def run(
    words: Words,
    kubeconfig: Kubeconfig = None,
    timeout: Timeout = 6 * 3600,
    output: Output = Format.TEXT,
) -> None:
    """Make a backup now and wait until it can be restored; list those that there are; prove the last one.

    `prove` restores the last backup into a throw-away cluster beside the real one, compares every table with the
    original, and deletes it again. Exits with 1 where a backup failed or a proof did.

    Example: pgha backup prove postgres-cluster
    """
    verb, name = _parsed(words)
    cluster = find(name).cluster
    if cluster.backup is None:
        raise UserError(f"{name} describes no backup", "add the section `backup` to its file")
    match verb:
        case "list":
            _list(cluster, kubeconfig, output)
        case "prove":
            _prove(cluster, kubeconfig, timeout, output)
        case _:
            _take(cluster, kubeconfig, timeout, output)


def _parsed(words: Sequence[str]) -> tuple[str, str]:
    """Verb and cluster; a single word is a cluster, whatever it is called."""
    if len(words) == 1:
        return "", words[0]
    if len(words) == 2 and words[0] in _VERBS:
        return words[0], words[1]
    raise UserError(f"backup takes a cluster, or {' or '.join(_VERBS)} and a cluster", "see: pgha backup --help")


def _take(cluster: Cluster, kubeconfig: Kubeconfig, timeout: float, output: Format) -> None:
    from pgha.backup.taking import BackupFailed, take
    from pgha.delivery.progress import Progress

    progress, api = Progress(), _api(kubeconfig)
    with progress.phase(f"back up {cluster.name}"):
        try:
            taken = take(api, cluster, timeout=timeout, say=progress.say)
        except BackupFailed as failure:
            error = str(failure)
        else:
            error = ""
    if error:
        if output is Format.JSON:
            typer.echo(json.dumps({"cluster": cluster.name, "ok": False, "error": error}, indent=2))
        typer.echo(f"pgha: {error}", err=True)
        raise typer.Exit(1)
    if output is Format.JSON:
        facts = {"cluster": cluster.name, "ok": True, "continued": taken.continued, "archived": _iso(taken.archived)}
        typer.echo(json.dumps(facts | _backup_facts(taken.backup) | {"seconds": round(progress.total, 1)}, indent=2))
        return
    typer.echo(f"backup {taken.backup.name} can be restored{' (it was running already)' if taken.continued else ''}")
    typer.echo(f"done in {progress.total:.1f} s", err=True)


def _list(cluster: Cluster, kubeconfig: Kubeconfig, output: Format) -> None:
    from pgha.backup.listing import listing

    found = listing(_api(kubeconfig), cluster)
    if output is Format.JSON:
        facts = {
            "cluster": cluster.name,
            "kind": found.kind,
            "backups": [_backup_facts(each) | _store_facts(found, each) for each in found.backups],
            "earliest": _iso(found.earliest),
            "archive": _archive_facts(found.archiver),
            "trouble": found.trouble,
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    _show(cluster, found)


def _show(cluster: Cluster, found: "Listing") -> None:
    rows = [("Backup", "Began (UTC)", "Took", "Data", "Asked for by", "State")]
    for each in found.backups:
        took = f"{(each.finished - each.started).total_seconds():.0f} s" if each.started and each.finished else ""
        state = str(each.phase)
        if each.phase == "done":
            restorable = found.restorable(each)
            state = "can be restored" if restorable else "done, but its last write-ahead log is not archived yet"
        asked = "a person" if each.on_demand else "the schedule"
        if found.gone(each):
            state = "gone: there is a record, and nothing in the store"
        data = _mebibytes(found.lies(each))
        rows.append((each.name, _short(each.started), took, data, asked, f"{state} {each.reason}".strip()))
    # Lines of their own, not rich's table: it would cut names to the width of a terminal that is not there.
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(len(rows[0]))]
    for row in rows if found.backups else []:
        typer.echo("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not found.backups:
        typer.echo(f"there is no backup yet: pgha backup {cluster.name}")
    archiver = found.archiver
    if found.earliest and archiver and archiver.at:
        typer.echo(
            f"\nany moment from {_short(found.earliest)} UTC on can be restored; write-ahead log is archived\n"
            f"until {_short(archiver.at)} UTC ({archiver.segment}), {archiver.waiting} files wait"
        )
    if archiver and archiver.fails:
        typer.echo(f"archiving fails since {_short(archiver.failed_at)} UTC, at {archiver.failed_segment}")
    if found.trouble:
        typer.echo(found.trouble)


def _prove(cluster: Cluster, kubeconfig: Kubeconfig, timeout: float, output: Format) -> None:
    from dataclasses import asdict

    from pgha.backup.proving import prove
    from pgha.delivery.progress import Progress

    _refuse_dumps(cluster, "prove")
    progress, api = Progress(), _api(kubeconfig)
    found = prove(api, cluster, timeout=timeout, progress=progress)
    if output is Format.JSON:
        facts = {"cluster": cluster.name, "ok": found.ok} | asdict(found)
        seconds = {"phases": progress.seconds, "seconds": round(progress.total, 1)}
        typer.echo(json.dumps(facts | seconds, indent=2, default=_iso))
    else:
        _show_proof(found)
    typer.echo(f"{'done' if found.ok else 'failed'} in {progress.total:.1f} s", err=True)
    if not found.ok:
        raise typer.Exit(1)


def _show_proof(found: "Proven") -> None:
    if found.error:
        typer.echo(f"not proven: {found.error}")
        return
    typer.echo(f"backup {found.backup}, restored with write-ahead log up to {found.segment}:")
    typer.echo(f"  {found.equal} tables equal the original, {found.rows} rows in all")
    if found.changing:
        typer.echo(f"  {found.changing} tables were written to meanwhile: read to their end, not compared")
    for difference in found.differences:
        typer.echo(f"  differs: {difference}")
    typer.echo("proven" if found.ok else "not proven")


def _refuse_dumps(cluster: Cluster, what: str) -> None:
    backups = engine_of(cluster).backups
    if not backups.makes_clusters:
        raise UserError(f"{what} makes a new cluster, and engine {cluster.engine} keeps dumps", backups.instead)


def _api(kubeconfig: Kubeconfig) -> Any:  # noqa: ANN401 - its class is imported when the command runs
    from pgha.delivery.kubernetes import Api
    from pgha.delivery.target import choose

    return Api.connect(choose(kubeconfig, start=False).kubeconfig)


def _backup_facts(each: "Backup") -> dict[str, Any]:
    return {
        "name": each.name,
        "id": each.id,
        "phase": each.phase,
        "onDemand": each.on_demand,
        "started": _iso(each.started),
        "finished": _iso(each.finished),
        "endWal": each.end_wal,
        "reason": each.reason,
    }


def _store_facts(found: "Listing", each: "Backup") -> dict[str, Any]:
    lies = found.lies(each)
    return {"restorable": found.restorable(each), "gone": found.gone(each), "bytes": lies.size if lies else None}


def _mebibytes(lies: "Stored | None") -> str:
    return f"{lies.size / 2**20:.0f} MiB" if lies and lies.size is not None else ""


def _archive_facts(archiver: "Archiver | None") -> dict[str, Any] | None:
    if archiver is None:
        return None
    return {
        "segment": archiver.segment,
        "at": _iso(archiver.at),
        "waiting": archiver.waiting,
        "fails": archiver.fails,
        "failedSegment": archiver.failed_segment,
        "failedAt": _iso(archiver.failed_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _short(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else ""
