"""A state that is kept in Kubernetes, then encrypted; its lock when OpenTofu dies."""

import base64
import gzip
import json
import re
import secrets
import zipfile
from collections.abc import Iterator

import pytest
from running_lab import Database
from tofu_project import Project

pytestmark = [pytest.mark.lab, pytest.mark.providers]

NAMESPACE = "states-of-a-test"
PLAIN = f"backend: {{ type: kubernetes, config: {{ secret_suffix: stored, namespace: {NAMESPACE} }} }}\n"
ENCRYPTED = PLAIN.replace("} }\n", "}, encryption: passphrase }\n")


@pytest.fixture(scope="module")
def project(providers: None, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("backends"), database, "stored", "192.168.10.125")
    made.clear()
    database.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    database.kubectl("create", "namespace", NAMESPACE)
    made.write(more=PLAIN)
    made.up("tofu")
    yield made
    made.write(more=ENCRYPTED if made.environment else PLAIN)
    made.down()
    database.kubectl("delete", "namespace", NAMESPACE)


def stored(project: Project) -> str:
    """The state as it lies in its Secret."""
    words = ("get", "secret", "tfstate-default-stored", f"--namespace={NAMESPACE}", "--output=json")
    found = json.loads(project.kubectl(*words))["data"]["tfstate"]
    return gzip.decompress(base64.b64decode(found)).decode()


def test_the_state_in_kubernetes_holds_no_secret(project: Project) -> None:
    project.remember()
    state = stored(project)
    assert "kubernetes_secret_v1" in state, "the search is blind"
    assert len(project.secrets) >= 2 * 7
    assert [value[:3] for value in project.secrets if value in state] == []
    assert not list(project.stack.glob("*.tfstate"))
    assert project.pgha("plan", "stored", "--check").returncode == 0
    outputs = json.loads(project.tofu("output", "-json").stdout)
    assert outputs["secrets"]["value"] == ["stored-app"]
    assert {end["vantage"] for end in outputs["endpoints"]["value"]} == {"cluster", "lan"}
    assert outputs["cluster"]["value"]["name"] == "stored"


def test_a_lock_of_a_dead_opentofu_is_opened_by_the_command_that_is_shown(project: Project) -> None:
    project.write(more=PLAIN, revision=2)
    assert project.pgha("plan", "stored").returncode == 0
    with project.start_tofu("apply", "-no-color") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Only 'yes' will be accepted" in line:  # it waits for the answer, and holds the lock
                break
        process.kill()
    project.write(more=PLAIN)
    locked = project.pgha("plan", "stored")
    assert locked.returncode == 2, locked.stdout
    assert "another OpenTofu works on the state of stack stored (" in locked.stdout
    found = re.search(r"if it died and left its lock: cd (\S+) && (tofu force-unlock \S+)", locked.stdout)
    assert found is not None, locked.stdout
    assert found.group(1) == str(project.stack)
    opened = project.tofu(*found.group(2).split()[1:2], "-force", found.group(2).split()[2])
    assert opened.returncode == 0, opened.stdout
    assert project.pgha("plan", "stored", "--check").returncode == 0


def test_encryption_is_switched_on_for_a_state_that_is_there(project: Project) -> None:
    before = project.identities()
    project.write(more=ENCRYPTED)
    none = project.pgha("plan", "stored")
    assert none.returncode == 2, none.stdout
    assert "encrypted, and there is no passphrase; export TF_VAR_state_passphrase" in none.stdout

    project.environment["TF_VAR_state_passphrase"] = secrets.token_urlsafe(24)
    project.write(more=ENCRYPTED, revision=3)
    planned = project.pgha("plan", "stored")
    assert planned.returncode == 0, planned.stdout
    assert "passwords: revision" in planned.stdout
    assert not zipfile.is_zipfile(project.stack / "stored.tfplan"), "the plan is encrypted too"
    applied = project.pgha("apply", "stored")
    assert applied.returncode == 0, applied.stdout
    project.up("tofu")
    state = stored(project)
    assert "encrypted_data" in state
    assert "kubernetes_secret_v1" not in state
    assert project.environment["TF_VAR_state_passphrase"] not in "\n".join(project.printed)
    same = {name for name, value in project.identities().items() if before.get(name) == value}
    assert {"clusters.postgresql.cnpg.io/stored", "pods/stored-1", "pods/stored-2"} <= same

    wrong = project.pgha("plan", "stored", TF_VAR_state_passphrase="0" * 24)
    assert wrong.returncode == 2, wrong.stdout
    assert "decrypt" in wrong.stdout
    assert "Traceback" not in wrong.stdout
