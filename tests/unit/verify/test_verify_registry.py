"""The catalogue of checks: its page, how one is chosen, and what availability adds up to."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pgha.cli import application
from pgha.config.problems import UserError
from pgha.resources.credentials import logins
from pgha.verify import ledger, pod, reference
from pgha.verify.registry import check, checks, chosen, passed
from tests.support import ROOT, sample


def test_page_is_current() -> None:
    assert (ROOT / reference.PAGE).read_text() == reference.page(), "run: python -m pgha.verify.reference"


@pytest.mark.parametrize(
    ("only", "ids"),
    [
        ("SC-003", {"SC-003"}),
        ("sc-008", {"SC-008.pod", "SC-008.lan"}),
        ("FR-007.*", {"FR-007.balancer", "FR-007.networks", "FR-007.public", "FR-007.stranger"}),
        ("SC-003, P-I", {"SC-003", "P-I"}),
    ],
)
def test_only(only: str, ids: set[str]) -> None:
    assert {each.id for each in chosen(only.split(","))} == ids


def test_nothing_named_is_everything() -> None:
    assert chosen([""]) == checks()


def test_a_name_of_no_check_is_refused() -> None:
    with pytest.raises(UserError, match="FR-099 names no check"):
        chosen(["SC-001", "FR-099"])


def test_two_checks_of_one_name_are_refused() -> None:
    checks()
    with pytest.raises(ValueError, match="SC-001"):
        check("SC-001", "again", source="spec, x", needs=[], remedy="x")(lambda _, __: passed("x"))


def test_list_needs_no_cluster() -> None:
    done = CliRunner().invoke(application(), ["verify", "no-such-cluster", "--list", "--output", "json"])
    assert done.exit_code == 0, done.output
    assert [each["id"] for each in json.loads(done.stdout)] == [each.id for each in checks()]


def test_ledger_says_how_much_it_has_seen(tmp_path: Path) -> None:
    path, now = tmp_path / "c" / "probes.tsv", datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
    book = ledger.Ledger(path)
    for second in range(0, 600, 5):
        at = now - timedelta(seconds=600 - second)
        book.add(at, ok=not 120 <= second < 180, seconds=0.01)
    book.close()
    seen = ledger.summary(path, now)
    assert (seen.minutes, seen.probes, seen.failed, seen.longest) == (10, 120, 12, 60.0)
    assert seen.availability == pytest.approx(0.9)
    assert seen.minutes_down == pytest.approx(1.0)
    assert seen.share_seen == pytest.approx(10 / 43_200)
    assert seen.budget == pytest.approx(43.2)


def test_ledger_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    path, at = tmp_path / "probes.tsv", datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
    for ok in (True, False):  # two runs within one minute
        book = ledger.Ledger(path)
        book.add(at, ok=ok, seconds=0.1)
        book.close()
    with path.open("a") as torn:
        torn.write("2026-11-21T18:0")  # the machine lost power in the middle of a line
    seen = ledger.summary(path, at)
    assert (seen.minutes, seen.succeeded, seen.failed) == (1, 1, 1)


def test_ledger_forgets_what_is_older_than_thirty_days(tmp_path: Path) -> None:
    path, now = tmp_path / "probes.tsv", datetime(2026, 11, 21, tzinfo=UTC)
    book = ledger.Ledger(path)
    book.add(now - timedelta(days=31), ok=False, seconds=0.0)
    book.add(now - timedelta(days=29), ok=True, seconds=0.0)
    book.close()
    assert (ledger.summary(path, now).succeeded, ledger.summary(path, now).failed) == (1, 0)


def test_a_month_of_probes_is_a_small_file(tmp_path: Path) -> None:
    path, at = tmp_path / "probes.tsv", datetime(2026, 11, 21, tzinfo=UTC)
    book = ledger.Ledger(path)
    for minute in range(100):
        book.add(at + timedelta(minutes=minute), ok=True, seconds=0.012)
    book.close()
    assert path.stat().st_size / 100 * 43_200 < 2_000_000


def test_the_pod_meets_the_strictest_standard_and_holds_no_password() -> None:
    """As the Pod Security Standard `restricted` reads; the lab's namespaces enforce it too."""
    cluster = sample()
    job = pod._job(cluster, "db-verify-1", logins(cluster), "image")
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    passwords = [entry for entry in container["env"] if entry["name"].startswith("PGHA_PASSWORD")]
    assert [entry["valueFrom"]["secretKeyRef"]["name"] for entry in passwords] == ["db-app"]
    assert {"ttlSecondsAfterFinished", "activeDeadlineSeconds"} <= job["spec"].keys()


def test_the_map_that_carries_the_client_fits() -> None:
    made = pod._config_map(sample(), "db-verify-1", {"steps": []})
    assert len(json.dumps(made)) < 2**20
