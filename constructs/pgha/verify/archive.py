"""The measuring client as one file that any Python runs: its code, pg8000, and what pg8000 needs, zipped."""

import io
import re
import zipfile
from importlib.metadata import distribution
from pathlib import Path

_DRIVER = "pg8000"
"""Pure Python, as all that it needs; so the archive runs on any processor and with any libc."""
_MAIN = "from client.__main__ import main\nmain()\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def client() -> bytes:
    """The archive, the same bytes for the same code; about 250 KiB, where a ConfigMap holds 1 MiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        for path in sorted((Path(__file__).parent / "client").glob("*.py")):
            _add(archive, f"client/{path.name}", path.read_bytes())
        for name in sorted(_needed(_DRIVER)):
            for file in sorted(distribution(name).files or [], key=str):
                # Some ask for their own version when they are imported: that is in METADATA.
                if file.suffix == ".py" or file.name == "METADATA":
                    _add(archive, str(file), Path(str(file.locate())).read_bytes())
    return out.getvalue()


def _needed(name: str, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """A distribution and all that it requires, without its extras."""
    found |= {name}
    for requirement in distribution(name).requires or []:
        match = _NAME.match(requirement)
        if match and "extra ==" not in requirement and match[0] not in found:
            found = _needed(match[0], found)
    return found


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
