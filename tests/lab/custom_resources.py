"""Resource definitions of operators that the lab does not run: with them the API server judges our objects.

They come from the operators' own Go modules. Nobody acts on the objects; a test that stores one deletes it.
"""

from typing import Protocol

import pytest

from lab import programs
from lab.steps import LabError


class _Kubectl(Protocol):
    def kubectl(self, *words: str, stdin: str | None = None) -> str: ...


def install_crds(database: _Kubectl, tool: str) -> list[str]:
    """Make the definitions of tools/TOOL (its `[files.crds]`) known, and return their names.

    They stay until the lab is removed: another test, or another session, may be using them. A second call changes
    nothing. Skips, loudly, where the module cannot be downloaded.
    """
    try:
        folder = programs.shipped(programs.tool(tool), "crds")
    except LabError as error:
        pytest.skip(f"NOT RUN, the definitions of {tool} cannot be had: {error}")
    texts = [path.read_text() for path in sorted(folder.glob("*.yaml"))]
    found = [text for text in texts if "\nkind: CustomResourceDefinition\n" in f"\n{text}"]
    assert found, f"{folder} has no definitions"
    # Server-side, since they are too large for a client's annotation.
    words = ("apply", "--server-side", "--force-conflicts", "--output=name", "--filename=-")
    names = database.kubectl(*words, stdin="\n---\n".join(found)).split()
    database.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    return [name.partition("/")[2] for name in names]
