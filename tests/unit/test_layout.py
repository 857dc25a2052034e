"""The house's own rules that no linter knows (docs/adr/0001)."""

import importlib
import subprocess
import sys

import pytest

from tests.support import ROOT


def test_constructs_is_a_source_root_and_no_package() -> None:
    assert not (ROOT / "constructs" / "__init__.py").exists()


def test_constructs_is_pypis() -> None:
    constructs = importlib.import_module("constructs")

    assert constructs.__file__ is not None
    assert not constructs.__file__.startswith(str(ROOT / "constructs"))


def test_tests_are_no_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize("module", ["pgha", "pgha.config", "pgha.engines", "pgha.gitops", "pgha.cli"])
def test_loads_without_cdktf_and_without_a_client(module: str) -> None:
    """`pgha validate` takes 0.3 s; loading CDKTF and Node takes four seconds, Kubernetes' client half a second."""
    code = f"import sys, {module}; print([m for m in ('cdktf', 'jsii', 'lightkube', 'psycopg') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("module", ["pgha.delivery.upward", "pgha.delivery.removal", "pgha.delivery.probe"])
def test_delivery_loads_without_cdktf(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('cdktf', 'jsii') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
