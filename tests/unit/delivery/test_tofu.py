"""What `pgha` makes of an OpenTofu that cannot begin."""

import json
from pathlib import Path

import pytest

from pgha.config.problems import UserError
from pgha.delivery.tofu import prepare

FAKE = """#!/bin/sh
# Fails as the words in the stack say: its backend, its providers.
grep -q "no backend" cdk.tf.json && { echo "Error: Failed to get state" >&2; exit 1; }
grep -q "no provider" cdk.tf.json && { echo "Error: Failed to query available provider packages" >&2; exit 1; }
exit 0
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stack, with a tofu on PATH that reads the stack's words."""
    program = tmp_path / "bin" / "tofu"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    folder = tmp_path / "lab"
    folder.mkdir()
    return folder


def write(folder: Path, *, backend: str = "", provider: str = "") -> None:
    terraform = {"backend": {"http": {"address": backend}}, "required_providers": {"kubernetes": provider}}
    (folder / "cdk.tf.json").write_text(json.dumps({"terraform": terraform}))


def test_it_is_used_where_it_can_begin(stack: Path) -> None:
    write(stack)
    tofu, reason = prepare(stack, None)
    assert tofu is not None
    assert reason == ""


@pytest.mark.parametrize("backend", ["", "no backend"], ids=["with its backend", "without"])
def test_without_providers_there_is_another_way(stack: Path, backend: str) -> None:
    write(stack, backend=backend, provider="no provider")
    reason = "tofu init cannot install the providers: Failed to query available provider packages"
    assert prepare(stack, None) == (None, reason)


def test_without_its_state_nothing_is_applied(stack: Path) -> None:
    """Server-side apply would work, and would apply beside what the state knows."""
    write(stack, backend="no backend")
    with pytest.raises(UserError, match="cannot use the backend of stack lab: Failed to get state; mend the backend"):
        prepare(stack, None)


def test_without_the_program_there_is_another_way(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert prepare(stack, None) == (None, "there is no program tofu on PATH")


def test_its_debug_log_stays_off(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At level DEBUG the provider logs each request's body, a new password included."""
    for name in ("TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PATH"):
        monkeypatch.setenv(name, "TRACE")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/kept")
    (stack.parent / "bin" / "tofu").write_text("#!/bin/sh\nenv\n")
    write(stack)
    tofu, _ = prepare(stack, None)
    assert tofu is not None
    printed = tofu.run("version").stdout
    assert "TF_LOG" not in printed
    assert "TF_CLI_CONFIG_FILE=/kept" in printed


def test_what_a_killed_plan_left_is_no_part_of_the_next(stack: Path) -> None:
    """Its override would go on lifting `prevent_destroy`, also for `tofu` by hand."""
    write(stack)
    (stack / "pgha_override.tf.json").write_text("{}")
    (stack.parent / "bin" / "tofu").write_text("#!/bin/sh\nls *.tf.json > seen\n")
    tofu, _ = prepare(stack, None)
    assert tofu is not None
    tofu.plan(print, stack / "lab.tfplan", extra={"pgha_adopt.tf.json": {}})
    assert (stack / "seen").read_text().split() == ["cdk.tf.json", "pgha_adopt.tf.json"]
    assert [path.name for path in stack.glob("*.tf.json")] == ["cdk.tf.json"]
