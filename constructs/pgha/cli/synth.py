"""`pgha synth`: cluster files to OpenTofu stacks and the Argo CD tree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pgha.cli.output import only, orphans, stale, synthesized, write
from pgha.cli.project import buildable, find, find_root
from pgha.config import Cluster

Clusters = Annotated[
    list[str] | None, typer.Argument(metavar="[CLUSTER]...", help="Names; default: every cluster file.")
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a committed file is out of date.")]


def run(clusters: Clusters = None, check: Check = False) -> None:
    """Write terraform/ and kubernetes/ from the cluster files.

    Example: pgha synth && git diff terraform kubernetes
    """
    # One that cannot be built is an error when it is asked for by name.
    synth(find_root(), named=[find(name).cluster for name in clusters or []], check=check)


def synth(root: Path, *, named: Sequence[Cluster] = (), check: bool = False) -> None:
    """The same for a known root: what `python main.py` and `cdktf synth` run too.

    Raises:
        typer.Exit: With 1, when `check` found files that are out of date.
    """
    files = synthesized(root, buildable(root))
    gone = [] if named else orphans(root, files)
    wanted = only(files, root, named) if named else files
    if check:
        outdated = [*stale(wanted), *gone]
        for path in outdated:
            typer.echo(f"out of date: {_shown(path, root)}{' (its cluster is gone)' if path in gone else ''}")
        if outdated:
            typer.echo("run: pgha synth")
            raise typer.Exit(1)
        typer.echo(f"{len(wanted)} files are up to date")
        return
    for path in write(wanted):
        typer.echo(f"wrote {_shown(path, root)}")
    for path in gone:
        path.unlink()
        typer.echo(f"removed {_shown(path, root)}")


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
