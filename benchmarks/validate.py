"""What `pgha validate` takes: one file, and a hundred, beside `python -c pass` in the same run.

    python benchmarks/validate.py [--rounds 15]

The three are run in turn, so that whatever else the machine does falls on all of them alike.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).parent / "pgha"
MANY = 100
LIMITS = {"one file": 0.3, f"{MANY} files": 1.5}
"""Seconds, from the issue on the cluster file."""


def main() -> None:
    """Measure, print, and exit with 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each; default: 15")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "one file": [PROGRAM, "validate", ROOT / "clusters/postgres-cluster.yaml"],
            f"{MANY} files": [PROGRAM, "validate", folder],
        }
        for command in commands.values():  # bytecode and the file cache are warm for everybody
            run(command)
        found = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                found[name].append(run(command))
    load = ", ".join(f"{amount:.1f}" for amount in os.getloadavg())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    print(f"machine: {os.cpu_count()} cores, {memory:.0f} GiB, Python {sys.version.split()[0]}, load {load}")
    print(f"{'':16}{'wall, median':>14}{'of pass':>9}{'CPU, median':>14}{'of pass':>9}{'limit':>8}")
    base = [median(column) for column in zip(*found["python -c pass"], strict=True)]
    late = False
    for name, times in found.items():
        wall, cpu = (median(column) for column in zip(*times, strict=True))
        limit = LIMITS.get(name)
        late = late or (limit is not None and wall > limit)
        row = f"{name:16}{wall:>12.3f} s{wall / base[0]:>8.1f}x{cpu:>12.3f} s{cpu / base[1]:>8.1f}x"
        print(row + (f"{limit:>6.1f} s" if limit else ""))
    sys.exit(1 if late else 0)


def run(command: list[str | Path]) -> tuple[float, float]:
    """Seconds of wall time and of processor time; the command must succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=ROOT, text=True, check=False, capture_output=True)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def files(folder: Path) -> None:
    """A hundred clusters as large as the seed's, that get along with each other."""
    text = (ROOT / "clusters/postgres-cluster.yaml").read_text()
    for number in range(MANY):
        own = text.replace("name: postgres-cluster\n", f"name: cluster-{number}\n", 1)
        own = own.replace("namespace: postgres\n", f"namespace: cluster-{number}\n", 1)
        (folder / f"cluster-{number}.yaml").write_text(own)


if __name__ == "__main__":
    main()
