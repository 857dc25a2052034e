"""How long `pgha verify`, `pgha verify --write` and `pgha status` take on a running cluster.

    python benchmarks/verify.py [CLUSTER] [--runs 5]

Prints the median and the slowest of the runs in seconds. What was aimed at: verify 90 s, status 2 s.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PGHA = Path(sys.executable).parent / "pgha"
COMMANDS = (("status",), ("verify",), ("verify", "--write"))


def main() -> None:
    """Time each command, one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cluster", nargs="?", default="lab")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for name, *options in COMMANDS:
        words = [str(PGHA), name, arguments.cluster, *options]
        seconds = [_timed(words) for _ in range(arguments.runs)]
        median, slowest = statistics.median(seconds), max(seconds)
        print(f"pgha {' '.join(words[1:]):30} median {median:5.1f} s, slowest {slowest:5.1f} s")


def _timed(words: list[str]) -> float:
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        sys.exit(done.stderr)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
