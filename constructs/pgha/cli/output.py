"""What synthesis writes: path → bytes, until it is compared with the project's folders or written."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pgha.config.model import Cluster
from pgha.gitops import tree

TERRAFORM = "terraform"
"""Folder of the stacks below the root; the same as `output` in cdktf.json."""

Files = dict[Path, bytes]


def outdir(root: Path) -> Path:
    """Where stacks go: CDKTF_OUTDIR, which the `cdktf` command sets, or `terraform/`."""
    return (root / os.environ.get("CDKTF_OUTDIR", TERRAFORM)).resolve()


def synthesized(root: Path, clusters: Sequence[Cluster]) -> Files:
    """Every file that the clusters become, by absolute path. Nothing is written below `root`."""
    from pgha.stacks import synthesize  # starts Node: seconds that only synthesis may cost

    target = outdir(root)
    with tempfile.TemporaryDirectory(prefix="pgha-synth-") as folder:
        synthesize(clusters, Path(folder))
        written = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        files = {target / path.relative_to(folder): path.read_bytes() for path in written}
    for cluster in clusters:
        files |= {root / path: text.encode() for path, text in tree(cluster).items()}
    return files


def only(files: Files, root: Path, clusters: Sequence[Cluster]) -> Files:
    """The files of these clusters: the folder of each one's stack, and its tree."""
    names = {cluster.name for cluster in clusters}
    trees = {root / path for cluster in clusters for path in tree(cluster)}
    return {
        path: content
        for path, content in files.items()
        if path in trees or (path.parent.parent.name == "stacks" and path.parent.name in names)
    }


def stale(files: Files) -> list[Path]:
    """Files that are missing or differ."""
    return [path for path, content in files.items() if not path.is_file() or path.read_bytes() != content]


def orphans(root: Path, files: Files) -> list[Path]:
    """Written earlier into the same folders, for a cluster that is gone; never a state or a lock file."""
    present = [*outdir(root).glob("stacks/*/cdk.tf.json"), *root.glob("kubernetes/applications/*/**/*.yaml")]
    return sorted(path for path in present if path not in files)


def write(files: Files) -> list[Path]:
    """Write what is stale, each file in one step; returns what was written."""
    changed = stale(files)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(files[path])
        part.replace(path)
    return changed


class Seal:
    """Says that a stack's file is what this program makes of this cluster, without the seconds that making it takes.

    It lies beside the providers in `.terraform/`, which is never committed, and breaks when the cluster, the file or
    any module of this program is another one.
    """

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._stack = folder / "cdk.tf.json"
        self._path = folder / ".terraform" / "pgha-synthesized"
        self._cluster = cluster

    def holds(self) -> bool:
        """Whether the stack need not be synthesized."""
        return self._path.is_file() and self._stack.is_file() and self._path.read_text() == self._value()

    def set(self) -> None:
        """Remember the stack as it is now."""
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(self._value())

    def _value(self) -> str:
        package = Path(__file__).parent.parent
        content = hashlib.sha256(self._cluster.model_dump_json().encode())
        for path in [self._stack, *sorted(package.rglob("*.py"))]:
            content.update(path.read_bytes())
        return content.hexdigest()
