"""Resource definitions of operators that the lab does not run: with them the API server judges our objects.

They come from the operators' own Go modules. Nobody acts on the objects; a test that stores one deletes it.
"""

from typing import Protocol

import pytest
from running_lab import eventually

from lab import programs
from lab.steps import LabError


class _Kubectl(Protocol):
    def kubectl(self, *words: str, stdin: str | None = None) -> str: ...


def install_crds(database: _Kubectl, tool: str, file: str = "crds") -> list[str]:
    """Make the definitions of tools/TOOL (its `[files.crds]`, or one manifest) known, and return their names.

    They stay until the lab is removed: another test, or another session, may be using them. A second call changes
    nothing. Skips, loudly, where the module cannot be downloaded.
    """
    try:
        path = programs.shipped(programs.tool(tool), file)
    except LabError as error:
        pytest.skip(f"NOT RUN, the definitions of {tool} cannot be had: {error}")
    files = [path] if path.is_file() else sorted(path.glob("*.yaml"))
    texts = [text for each in files for text in each.read_text().split("\n---\n")]
    found = [text for text in texts if "\nkind: CustomResourceDefinition\n" in f"\n{text}"]
    assert found, f"{path} has no definitions"
    # Server-side, since they are too large for a client's annotation.
    words = ("apply", "--server-side", "--force-conflicts", "--output=name", "--filename=-")
    names = database.kubectl(*words, stdin="\n---\n".join(found)).split()
    waiting = ("wait", "--for=condition=Established", "--timeout=60s", *names)
    eventually(lambda: database.kubectl(*waiting), within=60)  # a new one has no conditions at first: an error
    return [name.partition("/")[2] for name in names]
