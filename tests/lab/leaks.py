"""Where a secret stands that should stand nowhere: in files, in what plans pack up, in what was printed."""

import base64
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path


def contents(folder: Path, printed: Iterable[str]) -> dict[str, bytes]:
    """Every file below the folder, the members of plans (which are archives), and all that was printed."""
    found = {"what was printed": "\n".join(printed).encode()}
    for top, _, names in os.walk(folder):
        for path in (Path(top) / name for name in names):
            if path.is_symlink():
                continue
            found[str(path.relative_to(folder))] = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    found |= {f"{path.name}: {name}": archive.read(name) for name in archive.namelist()}
    return found


def holds(content: bytes, value: str) -> bool:
    """Plain, in base64, or as a JSON string's inside."""
    forms = {value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]}
    return any(form.encode() in content for form in forms)
