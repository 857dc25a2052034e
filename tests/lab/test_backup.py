"""Backups against a real S3 server: made, listed, restored to a moment, proven, damaged, and cut off from their store.

The cluster is tests/lab/clusters/archived.yaml; the tests build on each other, in this order.
"""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running_lab import ROOT, Database, Finished, clean_environment, eventually, run

from lab import kubernetes, node, object_storage
from lab.topology import nodes

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NAMESPACE, COPY = "archived", "archived-then"
PGHA = str(ROOT / ".venv/bin/pgha")
ROWS = "select count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) from ledger t"


def kubectl(*words: str, stdin: str | None = None) -> str:
    return kubernetes.kubectl(*words, stdin=stdin, timeout=120)


def ask(sql: str, cluster: str = NAMESPACE) -> str:
    """Ask the primary over its own socket, as the superuser."""
    status = json.loads(kubectl("get", "clusters.postgresql.cnpg.io", cluster, f"--namespace={cluster}", "-ojson"))
    pod = status["status"]["currentPrimary"]
    psql = ("psql", "--no-psqlrc", "-qtAX", "--dbname=app", "--set=ON_ERROR_STOP=1", f"--command={sql}")
    return kubectl("exec", f"--namespace={cluster}", pod, "--container=postgres", "--", *psql).strip()


def lend_secrets(namespace: str) -> None:
    """What a person does once: the store's keys and its authority, into the cluster's namespace."""
    for source, name in ((object_storage.KEYS, "backup-credentials"), (object_storage.CA, "object-storage-ca")):
        live = json.loads(kubectl("get", "secret", source, f"--namespace={object_storage.NAMESPACE}", "--output=json"))
        live["metadata"] = {"name": name, "namespace": namespace}
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(live))


@dataclass(frozen=True)
class Archived:
    """The cluster's file, and what `pgha up` said while it waited for the keys."""

    file: Path
    up: str

    def pgha(self, *words: str) -> Finished:
        return run(PGHA, *words)

    def facts(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What a command prints for programs."""
        done = subprocess.run(
            [PGHA, *words, "--output", "json"], cwd=ROOT, env=clean_environment(), text=True, check=False,
            timeout=600, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def list(self) -> dict[str, Any]:
        return self.facts("backup", "list", str(self.file))


def remove(file: Path) -> None:
    done = run(PGHA, "down", str(file), "--destroy", file.stem)
    assert done.code == 0, done.out


@pytest.fixture(scope="module")
def archived(database: Database, tmp_path_factory: pytest.TempPathFactory, figures: list[str]) -> Iterator[Archived]:
    extra = run(str(ROOT / ".venv/bin/lab"), "up", "--with", "object-storage")
    assert extra.code == 0, extra.out
    file = tmp_path_factory.mktemp("project") / "clusters" / "archived.yaml"
    file.parent.mkdir()
    file.write_text((ROOT / "tests/lab/clusters/archived.yaml").read_text())
    forget_archives()
    begun = time.monotonic()
    try:
        said = up_while(file, lambda: lend_secrets(NAMESPACE))
        figures.append(f"cluster of 2 with archiving, ready: {time.monotonic() - begun:.0f} s")
        yield Archived(file, said)
    finally:
        remove(file)


def up_while(file: Path, meanwhile: Callable[[], None]) -> str:
    """What `pgha up` says; `meanwhile` comes when it waits for something to be made by hand."""
    with subprocess.Popen(
        [PGHA, "up", str(file)], cwd=ROOT, env=clean_environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as up:  # fmt: skip
        try:
            get = ("get", "objectstores.barmancloud.cnpg.io", f"--namespace={NAMESPACE}", "--ignore-not-found")
            eventually(lambda: kubectl(*get), within=120)
            time.sleep(5)  # long enough to be told what is missing
            meanwhile()
            said, _ = up.communicate(timeout=400)
        finally:
            up.kill()
    assert up.returncode == 0, said
    return said


def forget_archives() -> None:
    """Earlier runs' backups: a cluster of the same name must not archive onto them."""
    for each in nodes(3):
        find = "find /opt/local-path-provisioner -maxdepth 3 -path '*_s3/backups/archived*' -exec rm -rf {} +"
        subprocess.run(node.command(each, ["sh", "-c", find]), check=False, capture_output=True)


def in_bucket(path: str) -> tuple[Any, str]:
    """Node and file of an object: the S3 server keeps objects as files of the same names."""
    for each in nodes(3):
        words = ["find", "/opt/local-path-provisioner", "-path", f"*_s3/backups/{path}"]
        found = subprocess.run(node.command(each, words), check=False, capture_output=True, text=True).stdout.split()
        if found:
            return each, found[0]
    pytest.fail(f"{path} is not in the bucket")


def test_up_says_which_secret_is_missing_and_goes_on_when_it_is_there(archived: Archived) -> None:
    assert "Secret archived/backup-credentials does not exist: kubectl -n archived create secret generic" in archived.up
    key = json.loads(kubectl("get", "secret", "backup-credentials", f"--namespace={NAMESPACE}", "--output=json"))
    assert base64.b64decode(key["data"]["ACCESS_SECRET_KEY"]).decode() not in archived.up


def test_the_first_backup_comes_with_the_cluster(archived: Archived) -> None:
    found = eventually(lambda: [one for one in archived.list()["backups"] if one["restorable"]], within=120, every=3)
    assert not found[0]["onDemand"]
    policy = "jsonpath={.spec.retentionPolicy}"
    assert kubectl("get", "objectstore", "archived-backup", f"--namespace={NAMESPACE}", f"--output={policy}") == "7d"


def test_a_backup_on_demand_is_done_when_it_can_be_restored(archived: Archived, figures: list[str]) -> None:
    ask("create table ledger (id int primary key, text text)")
    ask("alter table ledger owner to app")
    ask("insert into ledger select n, md5(n::text) from generate_series(1, 5000) n")
    taken = archived.facts("backup", str(archived.file))
    figures.append(f"backup on demand until it can be restored: {taken['seconds']:.0f} s")
    listed = archived.list()
    mine = next(one for one in listed["backups"] if one["name"] == taken["name"])
    assert mine["restorable"]
    assert listed["archive"]["segment"][:24] >= mine["endWal"]
    assert not listed["archive"]["fails"]


def test_a_moment_between_two_rows_comes_back_row_by_row(archived: Archived, figures: list[str]) -> None:
    ask("insert into ledger values (5001, 'kept')")
    original = ask(ROWS)
    time.sleep(1)
    moment = datetime.now(UTC).isoformat()
    time.sleep(1)
    ask("insert into ledger values (5002, 'too late')")
    ask("delete from ledger where id = 1")
    schedule_soon()

    restored = archived.pgha("restore", str(archived.file), "--at", moment, "--as", COPY)
    assert restored.code == 0, restored.out
    figures.append(f"restore to a moment, a cluster of 2, ready: {restored.seconds:.0f} s")
    try:
        assert ask(ROWS, COPY) == original
        assert ask("select count(*) from ledger where id in (1, 5001, 5002)", COPY) == "2"
        assert ask("select pg_is_in_recovery()", COPY) == "f"
        assert ask("select count(*) from ledger where id = 5002") == "1"  # the original is as it was
        copy = Archived(archived.file.with_name(f"{COPY}.yaml"), "")
        assert copy.list()["archive"]["segment"]  # it archives, into a folder of its own
    finally:
        remove(archived.file.with_name(f"{COPY}.yaml"))


def schedule_soon() -> None:
    """Let the ScheduledBackup fire within two minutes, while something else goes on."""
    soon = datetime.now(UTC) + timedelta(seconds=20)
    change = {"spec": {"schedule": f"{soon.second} {soon.minute} {soon.hour} * * *"}}
    name = "scheduledbackup/archived-backup"
    kubectl("patch", name, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={json.dumps(change)}")


@pytest.mark.long
def test_the_schedule_fires_and_the_next_up_takes_it_back(archived: Archived) -> None:
    def fired() -> list[dict[str, Any]]:
        return [one for one in archived.list()["backups"] if not one["onDemand"] and one["restorable"]]

    assert len(eventually(lambda: fired()[1:] and fired(), within=90, every=3)) == 2
    again = archived.pgha("up", str(archived.file))
    assert "changed ScheduledBackup archived/archived-backup" in again.out
    schedule = "jsonpath={.spec.schedule}"
    found = kubectl("get", "scheduledbackup/archived-backup", f"--namespace={NAMESPACE}", f"--output={schedule}")
    assert found == "0 0 2 * * *"


def test_the_last_backup_is_proven_and_nothing_is_left(archived: Archived, figures: list[str]) -> None:
    proven = archived.facts("backup", "prove", str(archived.file))
    assert proven["ok"]
    assert proven["equal"] >= 1
    assert proven["rows"] >= 5001
    assert kubectl("get", "namespace", "archived-proof", "--ignore-not-found") == ""
    figures.append(f"backup proven, table by table: {proven['seconds']:.0f} s")


@pytest.mark.long
def test_fails_to_prove_a_damaged_backup(archived: Archived) -> None:
    newest = archived.list()["backups"][0]
    where, file = in_bucket(f"archived/base/{newest['id']}/data.tar.gz")
    damage = 'cp "$0" /tmp/whole && dd if=/dev/urandom of="$0" bs=4096 seek=100 count=200 conv=notrunc'
    subprocess.run(node.command(where, ["sh", "-c", damage, file]), check=True, capture_output=True)
    try:
        proven = archived.facts("backup", "prove", str(archived.file), code=1)
    finally:
        mend = 'cat /tmp/whole >"$0" && rm /tmp/whole'
        subprocess.run(node.command(where, ["sh", "-c", mend, file]), check=True, capture_output=True)
    assert not proven["ok"]
    assert "it could not be restored" in proven["error"]
    assert kubectl("get", "namespace", "archived-proof", "--ignore-not-found") == ""


@pytest.mark.long
def test_archiving_catches_up_after_the_store_was_away(archived: Archived, figures: list[str]) -> None:
    kubectl("scale", "deployment/s3", f"--namespace={object_storage.NAMESPACE}", "--replicas=0")
    try:
        for _ in range(3):
            ask("insert into ledger select max(id) + 1, 'while the store is away' from ledger")
            ask("select pg_switch_wal()")
        away = eventually(lambda: archived.list() if archived.list()["archive"]["fails"] else None, within=90, every=3)
        assert away["archive"]["waiting"] >= 3
        refused = archived.pgha("backup", str(archived.file))
        assert refused.code == 2, refused.out
        assert "write-ahead log is not archived" in refused.out
    finally:
        kubectl("scale", "deployment/s3", f"--namespace={object_storage.NAMESPACE}", "--replicas=1")
    back = time.monotonic()

    def caught_up() -> bool:
        found = archived.list()["archive"]
        return not found["fails"] and found["waiting"] == 0

    eventually(caught_up, within=180, every=3)
    figures.append(f"store back until all write-ahead log is archived: {time.monotonic() - back:.0f} s")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["restore", "{file}", "--at", "2020-01-01T00:00:00Z", "--as", "x"], "must not lie before the first moment"),
        (["restore", "{file}", "--at", "2026-11-21", "--as", "Not a name"], "3 problems, nothing was written"),
        (["restore", "{file}", "--at", "2099-01-01T00:00:00Z", "--as", "x"], "must not lie in the future"),
        (["backup", "list", "clusters/lab.yaml"], "describes no backup"),
        (["backup", "show", "{file}"], "backup takes a cluster, or list or prove and a cluster"),
    ],
    ids=["too early", "several", "future", "no backup", "no such verb"],
)
def test_fails_with_a_sentence(archived: Archived, words: list[str], said: str) -> None:
    done = archived.pgha(*(word.format(file=archived.file) for word in words))
    assert done.code == 2, done.out
    assert said in done.out
    assert [path.name for path in archived.file.parent.iterdir() if path.stem not in {"archived", COPY}] == []


def test_the_last_writes_are_in_the_store_when_the_cluster_is_gone(archived: Archived) -> None:
    ask("insert into ledger values (6000, 'the last')")
    segment = ask("select pg_walfile_name(pg_current_wal_insert_lsn())")
    begun = datetime.now(UTC)
    done = archived.facts("down", str(archived.file), "--destroy", NAMESPACE)
    (backups,) = [each for each in done["left"] if each.startswith("the backups in s3://backups, until ")]
    assert datetime.fromisoformat(f"{backups[-23:-4]}+00:00") >= begun.replace(microsecond=0)
    in_bucket(f"archived/wals/{segment[:16]}/{segment}.gz")
