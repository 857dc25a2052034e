"""The project that commands work on: its root, its cluster files, and which of them can be built."""

from dataclasses import dataclass
from pathlib import Path

import typer

from pgha.config import Cluster, UserError, discover, load, load_all, resolve
from pgha.config.files import FOLDER
from pgha.engines import plan
from pgha.engines.base import NotBuiltError


@dataclass(frozen=True, kw_only=True)
class Source:
    """A cluster, the file it came from, and the folder whose `terraform/` it is synthesized into."""

    cluster: Cluster
    path: Path
    root: Path


def find_root(start: Path | None = None) -> Path:
    """The nearest folder, from here upwards, that holds `clusters/`.

    Raises:
        UserError: There is none.
    """
    here = (start or Path()).resolve()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder
    raise UserError(
        f"there is no folder {FOLDER}/ here or above",
        "run pgha inside a project, or name a cluster file by its path",
    )


def find(name_or_path: str) -> Source:
    """The cluster that a CLUSTER argument names, loaded; it must be one that can be built.

    Raises:
        ConfigError: The file has errors.
        NotBuiltError: It asks for what is not built yet.
        UserError: There is no such file.
    """
    is_path = Path(name_or_path).is_file()
    path = Path(name_or_path) if is_path else resolve(name_or_path, find_root())
    cluster = load(path)
    plan(cluster)
    folder = path.resolve().parent
    return Source(cluster=cluster, path=path, root=folder.parent if folder.name == FOLDER else folder)


def buildable(root: Path) -> list[Cluster]:
    """Every cluster of the project that can be built; one line on standard error for each that cannot yet.

    Raises:
        ConfigError: A file has errors, or two want the same thing.
    """
    paths = discover(root)
    found = []
    for path, cluster in zip(paths, load_all(paths), strict=True):
        try:
            plan(cluster)
        except NotBuiltError as error:
            typer.echo(f"pgha: skipped {path.relative_to(root)}: {error.what}", err=True)
        else:
            found.append(cluster)
    return found
