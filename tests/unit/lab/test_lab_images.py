import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from lab import images, programs
from lab.images import Image


@pytest.fixture
def archive(tmp_path: Path) -> dict[str, bytes]:
    program = tmp_path / "hello"
    program.write_bytes(b"#!/bin/sh\necho hello\n")
    pair = [
        Image("example.test/one:1", None, (("/bin/hello", program),), (), {"Entrypoint": ["/bin/hello"]}),
        Image("example.test/two:2", None, (("/bin/hello", program),), (), {"User": "26:26"}),
    ]
    out = io.BytesIO()
    images.write_archive(pair, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        entries = {member.name: tar.extractfile(member) for member in tar}
        return {name: content.read() for name, content in entries.items() if content}


def test_every_blob_has_the_digest_it_is_named_by(archive: dict[str, bytes]) -> None:
    blobs = {name: content for name, content in archive.items() if name.startswith("blobs/")}
    assert blobs
    assert all(name.endswith(hashlib.sha256(content).hexdigest()) for name, content in blobs.items())


def test_every_description_leads_to_a_blob_of_that_size(archive: dict[str, bytes]) -> None:
    def blob(described: dict[str, str]) -> bytes:
        content = archive["blobs/" + described["digest"].replace(":", "/")]
        assert len(content) == described["size"]
        return content

    names = []
    for described in json.loads(archive["index.json"])["manifests"]:
        names.append(described["annotations"]["io.containerd.image.name"])
        manifest = json.loads(blob(described))
        config = json.loads(blob(manifest["config"]))
        layers = [blob(layer) for layer in manifest["layers"]]
        assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    assert names == ["example.test/one:1", "example.test/two:2"]


def test_a_layer_that_two_images_share_is_written_once(archive: dict[str, bytes]) -> None:
    layers = [content for content in archive.values() if b"echo hello" in content]
    assert len(layers) == 1


@pytest.mark.parametrize(
    ("extra", "tools"),
    [(None, programs.FOR_A_CLUSTER), *((name, programs.EXTRAS[name]) for name in programs.EXTRAS)],
)
def test_images_hold_only_programs_that_are_built_for_them(
    extra: programs.Extra | None, tools: tuple[str, ...]
) -> None:
    made = [programs.tool(name) for name in tools]
    built = {tool.folder / name for tool in made for name in [*tool.programs, *tool.files]}
    catalogue = images.catalogue(extra)
    assert catalogue
    assert {source for image in catalogue for _, source in image.contents} <= built
