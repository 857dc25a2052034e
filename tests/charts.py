"""The real chart for tests: from its registry, or unpacked (with its dependency) in the folder PGHA_CHARTS names."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from lab.steps import LabError
from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.engines.bitnami import chart as facts


@cache
def chart() -> Path:
    """The chart's folder. Skips, loudly, where it cannot be had."""
    if folder := os.environ.get("PGHA_CHARTS"):
        return Path(folder) / facts.CHART
    folder = tempfile.mkdtemp(prefix="pgha-test-charts-")
    command = [_helm(), "pull", f"{facts.REPOSITORY}/{facts.CHART}", "--version", facts.VERSION, "--untar"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("NOT RUN: the chart's registry did not answer within 60 s")
    if done.returncode:
        pytest.skip(f"NOT RUN: the chart cannot be pulled: {done.stderr.strip().splitlines()[-1]}")
    return Path(folder) / facts.CHART


def rendered(cluster: Cluster) -> list[dict[str, Any]]:
    """Every object of the chart with this cluster's values. Skips, loudly, where that cannot be had."""
    release = plan(cluster).release
    assert release is not None
    with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
        values.write(json.dumps(release.values))
        values.flush()
        command = [_helm(), "template", release.name, chart(), "--namespace", cluster.namespace]
        command += ["--values", values.name, "--kube-version", "1.33.0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    # YAML 1.1, as Helm and Kubernetes read it: 0755 is a mode.
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


@cache
def _helm() -> Path:
    """This machine's, or one built from tools/helm where there is a chart to render."""
    if found := shutil.which("helm"):
        return Path(found)
    if "PGHA_CHARTS" not in os.environ and not _reachable():
        pytest.skip(f"NOT RUN: there is no chart to render: {facts.REPOSITORY} is out of reach, PGHA_CHARTS not set")
    try:
        return programs.build(programs.tool("helm")) / "helm"
    except LabError as error:
        pytest.skip(f"NOT RUN: no helm on PATH, and none can be built to render the chart with: {error}")


@cache
def _reachable() -> bool:
    """Whether the chart's registry answers, if only that it wants a login."""
    host = facts.REPOSITORY.removeprefix("oci://").partition("/")[0]
    try:
        with urllib.request.urlopen(f"https://{host}/v2/", timeout=10):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
