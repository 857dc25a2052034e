"""Where cluster files are."""

from pathlib import Path

from pgha.config.problems import UserError

FOLDER = "clusters"
SUFFIXES = (".yaml", ".yml")


def discover(root: Path | None = None) -> list[Path]:
    """Every cluster file of a project, by name; `root` (default: here) is the folder that holds `clusters/`."""
    folder = (root or Path()) / FOLDER
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file())


def resolve(name_or_path: str | Path, root: Path | None = None) -> Path:
    """The file that a CLUSTER argument means: a name under `clusters/`, or a path.

    Raises:
        UserError: no such file; the remedy names those that exist.
    """
    text = str(name_or_path)
    folder = (root or Path()) / FOLDER
    candidates = [folder / f"{text}{suffix}" for suffix in SUFFIXES]
    is_path = "/" in text or text.endswith(SUFFIXES)
    if is_path:
        candidates = [Path(text), folder / text]
    try:
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    except (OSError, ValueError):
        pass  # a name that no file system takes names no file
    names = [path.stem for path in discover(root)]
    remedy = f"the clusters here are: {', '.join(names)}" if names else f"{folder}/ holds no cluster file"
    raise UserError(f"there is no cluster file {candidates[0]}", remedy)
