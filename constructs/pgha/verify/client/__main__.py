"""Reads a request (JSON, from a file or standard input), runs its steps, writes a line of JSON after each.

Request: endpoints ({host, port, tls}, the one to write to first), logins ({user, database, password or variable}),
steps (names), and what they need. A step that raises is a line with `error`; the others still run.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from .steps import STEPS
from .watching import watch


def main() -> None:
    """Run; exit code 0 whatever the answers are."""
    request = json.loads(Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.readline())
    if request["steps"] == ["watch"]:
        watch(request)
        return
    for name in request["steps"]:
        begun = time.monotonic()
        try:
            facts: dict[str, Any] = STEPS[name](request)
        except Exception as error:  # the other steps still tell something
            facts = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"step": name, "took": round(time.monotonic() - begun, 2), "facts": facts}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
