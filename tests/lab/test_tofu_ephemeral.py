"""The passwords of the committed stacks, drawn by the real OpenTofu and random provider, both built from source.

It needs no lab and no registry: the Kubernetes provider, which nobody can build from a Go module, is left out, and a
local-exec takes the values instead. That they go from there into a Secret and nowhere else is test_two_ways.py.
"""

import json
import re
import shutil
import string
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leaks import contents, holds
from running_lab import ROOT
from tofu_project import tofu_program

from lab import home, programs
from pgha.resources.credentials import PASSWORD_LENGTH

pytestmark = pytest.mark.long

PROVIDER = "terraform-provider-random"
TAKE = 'printf %s "$VALUE" > "$FILE"'
STACKS = {path.parent.name: json.loads(path.read_text()) for path in ROOT.glob("terraform/stacks/*/cdk.tf.json")}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def tofu(pytestconfig: pytest.Config, figures: list[str]) -> Path:
    """OpenTofu and the provider; what is not there yet is built, with the progress in sight."""
    found, begun = tofu_program(), time.monotonic()
    wanted = [PROVIDER] if found else ["opentofu", PROVIDER]
    missing = [name for name in wanted if not programs.tool(name).folder.is_dir()]
    if missing:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled(), home.locked():
            print()
            programs.build_all(missing)
        figures.append(f"built {' and '.join(missing)}: {time.monotonic() - begun:.0f} s")
    return found or programs.program("opentofu", "tofu")


def runner(tofu: Path, folder: Path, printed: list[str]) -> Run:
    """OpenTofu in this folder with its own configuration file: nothing of this machine's, and no registry."""

    def run(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [tofu, *words], cwd=folder, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "TF_CLI_CONFIG_FILE": str(folder.parent / "tofu.rc"), "HOME": str(folder)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed.append(f"$ tofu {' '.join(words)}\n{done.stdout}")
        assert done.returncode == code, done.stdout
        return done

    return run


def mirror(run: Run, folder: Path) -> None:
    """The provider where OpenTofu looks for it: under the address that it gives `source` itself."""
    (folder / "tofu.rc").write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{folder / "mirror"}" }} }}\n'
    )
    found = re.search(r"provider\[(\S+/random)\]", run("providers").stdout)
    assert found is not None
    version, platform = programs.tool(PROVIDER).version, json.loads(run("version", "-json").stdout)["platform"]
    place = folder / "mirror" / found.group(1) / version / platform
    place.mkdir(parents=True)
    shutil.copy(programs.program(PROVIDER, PROVIDER), place / f"{PROVIDER}_v{version}")


def passwords_of(stack: dict[str, Any], values: Path) -> dict[str, Any]:
    """The stack's ephemeral blocks as they are, each with its promise checked and its value written to a file."""
    drawn: dict[str, Any] = stack["ephemeral"]["random_password"]
    return {
        "terraform": {"required_providers": {"random": stack["terraform"]["required_providers"]["random"]}},
        "ephemeral": {"random_password": {name: block | {"lifecycle": promise(name)} for name, block in drawn.items()}},
        "resource": {"terraform_data": {name: {"provisioner": [{"local-exec": {
            "command": TAKE,
            "environment": {"VALUE": f"${{ephemeral.random_password.{name}.result}}", "FILE": str(values / name)},
        }}]} for name in drawn}},
    }  # fmt: skip


def promise(name: str, length: int = PASSWORD_LENGTH) -> dict[str, Any]:
    condition = f'${{can(regex("^[A-Za-z0-9]{{{length}}}$", self.result))}}'
    return {
        "postcondition": [
            {"condition": condition, "error_message": f"{name} is no password of {length} letters and digits"}
        ]
    }


@pytest.mark.parametrize("name", sorted(name for name, stack in STACKS.items() if "ephemeral" in stack))
def test_passwords_are_drawn_as_promised_and_kept_nowhere(name: str, tofu: Path, tmp_path: Path) -> None:
    folder, values, printed = tmp_path / "project", tmp_path / "values", list[str]()
    folder.mkdir()
    values.mkdir()
    config = passwords_of(STACKS[name], values)
    drawn = list(config["ephemeral"]["random_password"])
    (folder / "main.tf.json").write_text(json.dumps(config))
    run = runner(tofu, folder, printed)
    (tmp_path / "tofu.rc").touch()
    mirror(run, tmp_path)

    run("init", "-no-color")
    run("plan", "-no-color", "-out=saved.tfplan")
    (folder / "plan.json").write_text(run("show", "-json", "saved.tfplan").stdout)
    run("apply", "-json", "saved.tfplan")
    (folder / "state.json").write_text(run("show", "-json").stdout)
    run("output", "-json")
    run("plan", "-no-color", "-detailed-exitcode")

    made = [(values / each).read_text() for each in drawn]
    assert {len(value) for value in made} == {PASSWORD_LENGTH}
    assert set("".join(made)) <= set(string.ascii_letters + string.digits)
    assert len(set(made)) == len(drawn), "two are the same"

    everything = contents(folder, printed)
    telling = {"terraform.tfstate", "plan.json", "state.json", "what was printed", "saved.tfplan: tfplan"}
    assert telling <= {place for place, content in everything.items() if holds(content, drawn[0])}, (
        "the search is blind"
    )
    assert [place for place, content in everything.items() for value in made if holds(content, value)] == []

    # Another promise is not kept: so the one above was asked of a real value, in the plan already.
    config["ephemeral"]["random_password"][drawn[0]]["lifecycle"] = promise(drawn[0], PASSWORD_LENGTH + 1)
    (folder / "main.tf.json").write_text(json.dumps(config))
    refused = run("plan", "-no-color", code=1)
    assert f"{drawn[0]} is no password of {PASSWORD_LENGTH + 1} letters and digits" in refused.stdout
