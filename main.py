"""Synthesize the stacks of every cluster file: what `cdktf synth` runs, the same as `pgha synth`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "constructs"))  # a source root: constructs/README.md

from pgha.cli import guarded
from pgha.cli.synth import synth

if __name__ == "__main__":
    guarded(lambda: synth(ROOT))
