"""Prometheus' own unit tests of rules: which alerts fire at a moment, given the series of metrics."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.debian import MissingError, promtool

Series = dict[str, str]
"""A metric with its labels → its values, in promtool's notation. One value every 30 s; the clock begins at 0."""


def assert_fires(folder: Path, rules: dict[str, Any], series: Series, at: str, expected: set[tuple[str, str]]) -> None:
    """Assert that exactly these alerts, by name and severity, fire at this time."""
    try:
        program = promtool()
    except MissingError as missing:
        pytest.skip(f"NOT RUN: no promtool on this machine: {missing}")
    write = YAML()
    write.dump(rules, folder / "rules.yaml")
    query = "count by (alertname, severity) (ALERTS{alertstate='firing'})"
    samples = [{"labels": f'{{alertname="{name}", severity="{grade}"}}', "value": 1} for name, grade in expected]
    tests = {
        "interval": "30s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": at, "exp_samples": samples}],
    }
    write.dump({"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [tests]}, folder / "tests.yaml")
    command = [str(program), "test", "rules", str(folder / "tests.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
