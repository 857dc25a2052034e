"""The commands as a person types them: exit codes and sentences, before any server is needed."""

from pathlib import Path

import pytest
from api_server import running
from ruamel.yaml import YAML

from pgha.engines import plan
from tests.support import lab, pgha


def test_render_prints_objects_and_names_the_secrets_that_it_leaves_out() -> None:
    done = pgha("render", "lab")
    objects = [(obj["kind"], obj["metadata"]["name"]) for obj in YAML(typ="safe").load_all(done.stdout)]
    planned = plan(lab())
    assert objects == [(obj["kind"], obj["metadata"]["name"]) for obj in planned.stack]
    assert objects[0] == ("Namespace", "lab-postgresql")
    assert "Secret" not in dict(objects)
    assert done.stdout.startswith("# not shown: Secret lab-postgresql/lab-app (kubernetes.io/basic-auth)")


def test_endpoints_need_no_server(tmp_path: Path) -> None:
    done = pgha("endpoints", "lab", KUBECONFIG=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert "lab-rw.lab-postgresql.svc.cluster.local:5432" in done.stdout
    assert "192.168.10.100:5432" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("render", "nope"), "pgha: there is no cluster file"),
        (("down", "lab"), "pgha: down deletes cluster lab and its data; say so by name: --destroy lab"),
        (("down", "lab", "--destroy", "other"), "pgha: the cluster's name is lab, not other; nothing was deleted"),
        (("up", "lab", "--kubeconfig", "/nowhere"), "pgha: the kubeconfig /nowhere cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_exits_with_2_and_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = pgha(*words)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_up_without_the_operator_writes_nothing(tmp_path: Path) -> None:
    with running() as server:
        del server.groups["/apis/postgresql.cnpg.io/v1"]
        done = pgha("up", "lab", "--kubeconfig", str(server.kubeconfig(tmp_path)))
        assert server.writes == []
    assert done.returncode == 2
    assert "knows no Cluster (postgresql.cnpg.io/v1); install the CloudNativePG operator" in done.stderr


def test_up_without_a_server_writes_nothing(tmp_path: Path) -> None:
    with running() as server:
        kubeconfig = server.kubeconfig(tmp_path)
    done = pgha("up", "lab", "--kubeconfig", str(kubeconfig))
    assert done.returncode == 2
    assert "does not answer" in done.stderr
