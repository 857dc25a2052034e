"""The file that `pgha restore` writes, and the moments that it refuses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgha.backup.proving import throw_away
from pgha.backup.restoring import parsed, restored, text
from pgha.config import UserError, check, load, load_text
from tests.support import ROOT, sample

ARCHIVED = load(ROOT / "tests/lab/clusters/archived.yaml")
AT = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)


def test_the_file_is_valid_and_reads_back_the_same() -> None:
    made = restored(ARCHIVED, "archived-then", AT)
    assert load_text(text(ARCHIVED, made).encode(), "archived-then.yaml") == made


def test_the_new_cluster_has_everything_but_identity_and_address() -> None:
    made = restored(ARCHIVED, "archived-then", AT)
    assert (made.name, made.namespace, made.network.load_balancer) == ("archived-then", "archived-then", None)
    assert made.recovery is not None
    assert (made.recovery.cluster, made.recovery.target_time) == ("archived", "2026-11-21T17:05:00+00:00")
    other = {"name", "namespace", "network", "recovery"}
    assert made.model_dump(exclude=other) == ARCHIVED.model_dump(exclude=other)


def test_original_and_copy_archive_apart(tmp_path: Path) -> None:
    copy = tmp_path / "archived-then.yaml"
    copy.write_text(text(ARCHIVED, restored(ARCHIVED, "archived-then", AT)))
    assert all(not report.errors for report in check([ROOT / "tests/lab/clusters/archived.yaml", copy]))


def test_without_a_moment_it_is_the_newest() -> None:
    assert "targetTime" not in text(ARCHIVED, restored(ARCHIVED, "archived-now", None))


def test_a_cluster_without_a_store_cannot_be_restored() -> None:
    with pytest.raises(UserError, match="has no backups in an object store"):
        restored(sample(), "copy", None)


@pytest.mark.parametrize("at", ["yesterday", "2026-11-21", "2026-11-21T17:05:00", "2026-11-21 17:05", "2026-11-21Z"])
def test_fails_on_what_is_no_moment(at: str) -> None:
    moment, problems = parsed(at)
    assert moment is None
    assert "must be a moment with date, time and zone" in problems[0]


def test_fails_on_the_future() -> None:
    _, problems = parsed((datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert "must not lie in the future" in problems[0]


@pytest.mark.parametrize(
    "at", ["2026-11-20T17:05:00Z", "2026-11-20 18:05:00+01:00", "2026-11-20T17:05:00.123456+00:00"]
)
def test_a_moment_with_a_zone_is_one(at: str) -> None:
    moment, problems = parsed(at)
    assert problems == []
    assert moment is not None
    assert moment.astimezone(UTC).hour == 17


def test_a_throw_away_cluster_is_small_and_archives_nothing() -> None:
    copy = throw_away(ARCHIVED)
    assert (copy.name, copy.namespace, copy.instances) == ("archived-proof", "archived-proof", 1)
    assert copy.backup is None
    assert copy.recovery is not None
    assert copy.network.load_balancer is None
