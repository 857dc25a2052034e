"""A containerd store with every image in it, unpacked once; each node starts with a hard-linked copy.

Images and their layers never change once written, so the copies share disk and page cache; containerd's own data
bases do change and are copied for real.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from lab import images, programs
from lab.home import CACHE, LOGS
from lab.steps import LabError, run, step, wait_until

_CONFIG = """\
version = 3
root = "{root}"
state = "{state}/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
grpc = {{ address = "{socket}" }}
ttrpc = {{ address = "{socket}.ttrpc" }}
"""


def folder() -> Path:
    """Where the store for the present inputs is, or will be."""
    return CACHE / "images" / images.fingerprint()


def build() -> Path:
    """Import all images into a fresh store with a containerd of our own that ends with this call."""
    store = folder()
    if store.is_dir():
        return store
    partial = store.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    catalogue = images.catalogue()
    with (
        step(f"assemble and unpack {len(catalogue)} images"),
        tempfile.TemporaryDirectory(prefix="lab-") as run_folder,
    ):
        _import(catalogue, partial, Path(run_folder))
    partial.rename(store)
    return store


def _import(catalogue: list[images.Image], root: Path, run_folder: Path) -> None:
    containerd = programs.tool("containerd").folder
    socket = run_folder / "containerd.sock"
    config = run_folder / "config.toml"
    config.write_text(_CONFIG.format(root=root, state=run_folder, socket=socket))
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "images.log").open("w") as log:
        # In a mount namespace of its own: what it mounts while unpacking cannot outlive it.
        daemon = subprocess.Popen(
            ["unshare", "--mount", containerd / "containerd", "--config", config],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            ctr: list[str | Path] = [containerd / "ctr", "--address", socket, "--namespace", "k8s.io"]
            wait_until(lambda: _answers([*ctr, "version"]), what="containerd for unpacking", seconds=30)
            load(catalogue, ctr, log)
        finally:
            daemon.terminate()
            daemon.wait()


def load(catalogue: list[images.Image], ctr: list[str | Path], log: IO[str]) -> None:
    """Stream images into a running containerd; `ctr` is the command that talks to it."""
    importing = subprocess.Popen(
        [*ctr, "images", "import", "--snapshotter", "overlayfs", "-"],
        stdin=subprocess.PIPE, stdout=log, stderr=log,
    )  # fmt: skip
    assert importing.stdin is not None  # noqa: S101 - a pipe was asked for
    with importing.stdin as archive:
        images.write_archive(catalogue, archive)
    if importing.wait() != 0:
        raise LabError("containerd did not take the images", f"its words are in {LOGS / 'images.log'}")
    for image in catalogue:  # the kubelet must never collect what nobody can pull again
        run([*ctr, "images", "label", image.name, "io.cri-containerd.pinned=pinned"])


def _answers(command: list[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def clone(into: Path) -> None:
    """Give a node its store: files are linked, data bases copied."""
    run(["cp", "--archive", "--link", folder(), into])
    for database in into.rglob("*.db"):
        copy = database.with_suffix(".copy")
        shutil.copy2(database, copy)
        copy.replace(database)
