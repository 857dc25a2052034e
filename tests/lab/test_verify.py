"""`pgha verify` and `pgha status` on a cluster that keeps its promises: tests/lab/clusters/verified.yaml."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from running_lab import ROOT, Database, Finished, clean_environment, eventually, run

from lab import kubernetes

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PGHA = str(ROOT / ".venv/bin/pgha")
LAB = str(ROOT / ".venv/bin/lab")
NAMESPACE = "verified"
SPEED = {"SC-001", "SC-002", "SC-003", "SC-008.lan", "SC-008.pod"}
"""What a busy machine breaks, and no fault of the cluster."""


def kubectl(*words: str) -> str:
    return kubernetes.kubectl(*words, timeout=120)


def ask(pod: str, sql: str) -> str:
    psql = ("psql", "-XAtq", "-U", "postgres", "-d", "app", "-c", sql)
    return kubectl("exec", f"--namespace={NAMESPACE}", pod, "--container=postgres", "--", *psql).strip()


def remains() -> list[str]:
    """What verify makes and must not leave behind."""
    found = kubectl("get", "jobs,configmaps,pods", f"--namespace={NAMESPACE}", "-oname",
                    "--selector=app.kubernetes.io/component=verify").split()  # fmt: skip
    found += ask("verified-1", "SELECT nspname FROM pg_namespace WHERE nspname = 'pgha_verify'").split()
    return found


@pytest.fixture(scope="module")
def file(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The cluster, up; a repository of its own holds its file."""
    folder = tmp_path_factory.mktemp("project") / "clusters"
    folder.mkdir()
    path = folder / "verified.yaml"
    shutil.copy(ROOT / "tests/lab/clusters/verified.yaml", path)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@x", "commit", "-qm", "t"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    up = run(PGHA, "up", str(path))
    assert up.code == 0, up.out
    yield str(path)
    for _ in range(2):  # a busy control plane takes longer than pgha waits; the same command continues
        down = run(PGHA, "down", str(path), "--destroy", "verified")
        if down.code == 0:
            break
    assert down.code == 0, down.out


@pytest.fixture(scope="module")
def verified(file: str, tmp_path_factory: pytest.TempPathFactory, figures: list[str]) -> tuple[Finished, Path]:
    """One run with everything that there is to measure."""
    folder = tmp_path_factory.mktemp("out")
    done = run(PGHA, "verify", file, "--write", "--report", str(folder))
    figures.append(f"pgha verify --write: {done.seconds:.0f} s")
    return done, folder


def test_a_good_cluster_keeps_its_promises(verified: tuple[Finished, Path]) -> None:
    done, folder = verified
    facts = json.loads((folder / "report.json").read_text())
    failed = {each["id"] for each in facts["results"] if each["status"] == "failed"}
    assert failed <= SPEED, done.out
    ends = [end for steps in facts["measurements"].values() for end in steps["connections"]["endpoints"]]
    assert [end["errors"] for end in ends] == [[]] * 4
    assert done.code == bool(failed)
    jsonschema.validate(facts, json.loads((ROOT / "docs/reference/report.schema.json").read_text()))
    not_measured = {each["id"] for each in facts["results"] if each["status"] == "not measured"}
    assert not_measured == {"SC-005", "SC-007.time", "FR-011.unchanged"}
    assert (folder / "index.html").stat().st_size > 10_000
    assert [each["role"] for each in facts["topology"]].count("primary") == 1


def test_nothing_remains(verified: tuple[Finished, Path]) -> None:
    eventually(lambda: remains() == [], within=30)


def test_no_password_is_told(verified: tuple[Finished, Path], file: str) -> None:
    secret = json.loads(kubectl("get", "secret", "verified-app", f"--namespace={NAMESPACE}", "-ojson"))
    password = subprocess.run(
        ["base64", "-d"], input=secret["data"]["password"], text=True, capture_output=True, check=True
    ).stdout
    told = [verified[0].out, *(path.read_text() for path in verified[1].iterdir())]
    told += [run(PGHA, "endpoints", file, "--output", "json").out, run(PGHA, "status", file).out]
    assert not any(password in text for text in told)


def test_the_next_report_compares_with_the_one_before(verified: tuple[Finished, Path], file: str) -> None:
    again = run(PGHA, "verify", file, "--only", "FR-011.*", "--report", str(verified[1]))
    assert again.code == 0, again.out
    assert "FR-011.unchanged" in again.out
    assert "2 passed" in again.out


def test_without_write_it_only_reads(verified: tuple[Finished, Path], file: str) -> None:
    """No new object in the database, no other row, also after a load of commits."""
    count = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
    objects = "SELECT count(*) FROM pg_class"
    pod = "verified-1"
    before = ask(pod, count), ask(pod, objects)
    done = run(PGHA, "verify", file, "--only", "SC-00*,FR-00*")
    assert done.code in {0, 1}, done.out
    assert (ask(pod, count), ask(pod, objects)) == before


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "cancelled by CI"])
def test_interrupted_it_cleans_up(ends: signal.Signals, file: str) -> None:
    """In the middle of a run that writes."""
    process = subprocess.Popen(
        [PGHA, "verify", file, "--write"], cwd=ROOT, env=clean_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    eventually(lambda: any("pgha_verify" in each for each in remains()), within=60)
    process.send_signal(ends)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "interrupted" in out
    eventually(lambda: remains() == [], within=30)


def test_killed_it_is_cleaned_up_by_the_next(file: str) -> None:
    """No chance to clean up; Kubernetes removes the Job by itself, the next run with --write the schema."""
    process = subprocess.Popen(
        [PGHA, "verify", file, "--write", "--only", "SC-004", "--no-lan"], cwd=ROOT, env=clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: any("pgha_verify" in each for each in remains()), within=60)
    process.kill()
    process.wait()
    done = run(PGHA, "verify", file, "--write", "--only", "SC-004")
    assert done.code == 0, done.out
    assert "pgha_verify" not in remains()
    jobs: dict[str, Any] = json.loads(
        kubectl("get", "jobs", f"--namespace={NAMESPACE}", "-ojson", "--selector=app.kubernetes.io/component=verify")
    )
    assert all(job["spec"]["ttlSecondsAfterFinished"] for job in jobs["items"])
    kubectl("delete", "jobs,configmaps", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/component=verify")


def test_watch_records_and_resumes(file: str) -> None:
    ledger = Path(file).parent.parent / ".pgha" / "verified" / "probes.tsv"
    for lines in (1, 2):
        process = subprocess.Popen(
            [PGHA, "verify", file, "--watch"], cwd=ROOT, env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        assert next(line for line in process.stdout if "available; " in line)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert len(ledger.read_text().splitlines()) >= lines
    done = run(PGHA, "verify", file, "--only", "SC-005")
    assert done.code == 0, done.out
    assert "of 30 days seen" in done.out
    assert "1 not measured" in done.out


def test_status_at_a_glance(file: str, figures: list[str]) -> None:
    done = run(PGHA, "status", file)
    figures.append(f"pgha status: {done.seconds:.1f} s")
    assert done.code == 0, done.out
    assert "primary" in done.out
    assert "standby" in done.out
    facts = json.loads(run(PGHA, "status", file, "--output", "json").out)
    assert facts["ready"]
    assert sorted(each["role"] for each in facts["instances"]) == ["primary", "standby"]
    assert facts["endpoints"]["verified-external"]["addresses"] == ["192.168.10.106"]


def test_the_image_of_the_client_can_be_another(file: str) -> None:
    """One that is not to be had: said within seconds, with the remedy, and not taken for a broken promise."""
    done = run(PGHA, "verify", file, "--only", "SC-001", "--client-image", "registry.invalid/python:3.13")
    assert done.code == 2, done.out
    assert "--client-image names another" in done.out
    eventually(lambda: remains() == [], within=30)


def test_without_the_right_to_ask_instances_it_says_so(file: str, tmp_path: Path) -> None:
    """A service account that may look at objects and nothing else."""
    account = f"--namespace={NAMESPACE}"
    kubectl("create", "serviceaccount", "onlooker", account)
    kubectl(
        "create", "rolebinding", "onlooker", account, "--clusterrole=view", f"--serviceaccount={NAMESPACE}:onlooker"
    )
    token = kubectl("create", "token", "onlooker", account).strip()
    config: dict[str, Any] = yaml.safe_load(Path(run(LAB, "kubeconfig").out.strip()).read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    done = run(PGHA, "verify", file, "--kubeconfig", str(path), "--only", "FR-005.primary,FR-005.instances")
    assert done.code == 2, done.out
    assert "1 passed, 1 not measured" in done.out
    assert "pods/exec" in done.out
