"""Makes parameters.json from running servers: `python generate.py BINDIR…`, one folder of programs per major version.

Not part of pgha; README.md beside it says where the programs come from.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NOBODY = 65534
QUERY = (
    "copy (select json_build_object('name', name, 'type', vartype, 'unit', unit, 'min', min_val, 'max', max_val, "
    "'values', enumvals, 'context', context, 'default', boot_val) from pg_settings order by name) to stdout"
)
MACHINE = {"default_text_search_config", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "TimeZone"}
"""Their defaults follow from the machine or from initdb."""
BUILD = {"default_toast_compression", "dynamic_shared_memory_type", "io_method", "wal_compression", "wal_sync_method"}
"""Their values follow from how the program was built: none are recorded, so any is accepted."""


def _run(command: list[str | Path], given: str = "") -> str:
    """What a program says, run as nobody: PostgreSQL refuses to run as root."""
    return subprocess.run(
        command, input=given, user=NOBODY, group=NOBODY, check=True, capture_output=True, text=True
    ).stdout


def settings(bindir: Path) -> list[dict[str, Any]]:
    """Every row of pg_settings of a fresh server that never listens."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        data = f"{folder}/data"
        _run([bindir / "initdb", "-D", data, "-A", "trust", "--no-locale", "-E", "UTF8"])
        # Single-user mode still reads commands from the terminal's end: one query, then end of file.
        said = _run([bindir / "postgres", "--single", "-D", data, "-j", "postgres"], QUERY)
    # The first row stands behind the prompt; COPY doubles backslashes.
    rows = (line[line.find("{") :].replace("\\\\", "\\") for line in said.splitlines() if '"name"' in line)
    return [json.loads(row) for row in rows]


def major(bindir: Path) -> int:
    """What `postgres --version` says."""
    return int(_run([bindir / "postgres", "--version"]).split()[2].partition(".")[0])


def merge(by_major: dict[int, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Name → its facts, once for every span of majors in which they are the same."""
    merged: dict[str, list[dict[str, Any]]] = {}
    for version in sorted(by_major):
        for row in by_major[version]:
            name = row.pop("name")
            if name in MACHINE:
                row["default"] = None
            if name in BUILD:
                row["values"] = None
            facts = {key: value for key, value in row.items() if value is not None}
            spans = merged.setdefault(name, [])
            if spans and {key: value for key, value in spans[-1].items() if key != "majors"} == facts:
                spans[-1]["majors"].append(version)
            else:
                spans.append({"majors": [version], **facts})
    return merged


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("usage: generate.py BINDIR..., one folder with initdb and postgres per major version")
    found = {major(Path(folder)): settings(Path(folder)) for folder in sys.argv[1:]}
    target = Path(__file__).with_name("parameters.json")
    body = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(facts, sort_keys=True)}" for name, facts in sorted(merge(found).items())
    )
    target.write_text("{\n" + body + "\n}\n")
    counts = ", ".join(f"{version}: {len(rows)}" for version, rows in sorted(found.items()))
    sys.stdout.write(f"{target}: {counts}\n")
