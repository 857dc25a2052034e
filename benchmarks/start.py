"""What starting costs: `make up` with a warm cache and again, memory and disk. With --cold, from an empty cache first.

    make down && python benchmarks/start.py [--cold]

Run as root. It starts the lab and removes it; it refuses where one is running.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("LAB_HOME") or ROOT / ".lab") / "cache"
GIB = 1024**3


def main() -> None:
    """Measure in the order in which a newcomer meets it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="remove the cache first: about 25 minutes")
    cold = parser.parse_args().cold
    if list(Path("/run/netns").glob("lab-*")):
        sys.exit("a lab is running; remove it first: make down")
    print(f"machine: {os.cpu_count()} cores, {memory('MemTotal') / GIB:.0f} GiB, Linux {os.uname().release}")
    if cold:
        subprocess.run([ROOT / ".venv/bin/lab", "down", "--all"], check=True, capture_output=True)
        print(f"make up, cold            {timed('make', 'up') / 60:7.1f} min")
        timed("make", "down")
    before = memory("MemAvailable")
    print(f"make up, cache warm      {timed('make', 'up'):7.1f} s")
    print(f"make up again            {timed('make', 'up'):7.1f} s")
    print(f"memory of all of it      {(before - memory('MemAvailable')) / GIB:7.1f} GiB")
    print(f"make down                {timed('make', 'down'):7.1f} s")
    print(f"cache on disk            {disk(CACHE) / 1e9:7.1f} GB")


def timed(*command: str) -> float:
    """Seconds of wall time; the command must succeed."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, text=True, check=False, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - started


def memory(row: str) -> int:
    """A row of /proc/meminfo in bytes."""
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(rows[row].split()[0]) * 1024


def disk(folder: Path) -> int:
    """Bytes that a folder takes, hard links counted once."""
    return int(
        subprocess.run(["du", "-s", "-B1", folder], text=True, check=True, capture_output=True).stdout.split()[0]
    )


if __name__ == "__main__":
    main()
