"""Container images assembled from built programs and Debian trees, as one OCI archive that containerd imports."""

import hashlib
import io
import json
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab import programs, rootfs
from lab.home import SOURCE

_TREES = {tree.name: tree for tree in (*rootfs.FOR_A_CLUSTER, rootfs.SERVICES)}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """What one image is made of (images.toml)."""

    name: str
    base: str | None
    contents: tuple[tuple[str, Path], ...]
    """Path inside the image, and the program that goes there."""
    links: tuple[tuple[str, str], ...]
    """Path inside the image, and where it points."""
    config: dict[str, Any]

    def layers(self) -> Iterator[Path | bytes]:
        """The Debian tree, if any, and one small layer with the programs."""
        if self.base:
            yield _TREES[self.base].tar
        if self.contents:
            yield _layer(self.contents, self.links)


def catalogue(extra: programs.Extra | None = None) -> list[Image]:
    """The images of images.toml that every cluster has, or those of one extra."""
    images = []
    for name, entry in _entries(extra).items():
        contents = tuple(
            (path, programs.program(*source.split("/"))) for path, source in entry.get("programs", {}).items()
        )
        config: dict[str, Any] = {"Env": [f"PATH={entry['path']}:{_PATH}" if "path" in entry else f"PATH={_PATH}"]}
        if "entrypoint" in entry:
            config["Entrypoint"] = entry["entrypoint"]
        if "user" in entry:
            config["User"] = entry["user"]
        links = tuple(entry.get("links", {}).items())
        images.append(Image(name, entry.get("base"), contents, links, config))
    return images


def _entries(extra: programs.Extra | None) -> dict[str, Any]:
    listed = tomllib.loads((SOURCE / "images.toml").read_text())
    return {name: entry for name, entry in listed.items() if entry.get("extra") == extra}


def fingerprint() -> str:
    """A name for what every cluster has: it changes when any program, tree or definition does."""
    parts = [json.dumps(_entries(None)), *(tree.tar.name for tree in rootfs.FOR_A_CLUSTER)]
    parts += [programs.tool(name).folder.name for name in programs.FOR_A_CLUSTER]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def write_archive(images: list[Image], out: IO[bytes]) -> None:
    """Stream an OCI layout as tar: blobs first, the index that names them last, a shared layer once."""
    with tarfile.open(fileobj=out, mode="w|") as archive:
        _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        written: dict[str, dict[str, Any]] = {}
        index = [_image(archive, image, written) for image in images]
        _add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode())


def _image(archive: tarfile.TarFile, image: Image, written: dict[str, dict[str, Any]]) -> dict[str, Any]:
    layers = [_blob(archive, layer, f"{_OCI}.layer.v1.tar", written) for layer in image.layers()]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": image.config,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    media_type = f"{_OCI}.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _blob(archive, json.dumps(config).encode(), f"{_OCI}.config.v1+json", written),
        "layers": layers,
    }
    described = _blob(archive, json.dumps(manifest).encode(), media_type, written)
    return {
        **described,
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"io.containerd.image.name": image.name},
    }


def _blob(
    archive: tarfile.TarFile, content: Path | bytes, media_type: str, written: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Write a blob under its digest unless this archive has it, and describe it."""
    known = str(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
    if known not in written:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            entry = tarfile.TarInfo(f"blobs/sha256/{digest}")
            entry.size = size
            archive.addfile(entry, stream)
        written[known] = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}
    return written[known]


def _layer(contents: tuple[tuple[str, Path], ...], links: tuple[tuple[str, str], ...]) -> bytes:
    """A tar with the programs and links at their places, the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for path, program in contents:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = 0o755, program.stat().st_size
            with program.open("rb") as stream:
                layer.addfile(entry, stream)
        for path, target in links:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            layer.addfile(entry)
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
