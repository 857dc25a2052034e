"""Which difference between an original and its copy is one, and what an archive holds."""

import pytest

from pgha.backup.comparing import Contents, compare
from pgha.backup.listing import Listing
from pgha.backup.server import Archiver
from pgha.engines.backups import Backup, Stored


def holding(*databases: str, roles: str = "app", **tables: tuple[int, str]) -> Contents:
    return Contents(roles=frozenset(roles.split()), databases=frozenset(databases or ("app",)), tables=tables)


def test_equal_tables_are_counted_with_their_rows() -> None:
    side = holding(a=(3, "x"), b=(0, "0"))
    found = compare(side, side, side)
    assert (found.equal, found.changing, found.rows, found.differences) == (2, 0, 3, ())


@pytest.mark.parametrize(
    "restored", [holding(a=(2, "x")), holding(a=(3, "y")), holding()], ids=["row", "value", "table"]
)
def test_a_quiet_table_that_differs_is_a_difference(restored: Contents) -> None:
    original = holding(a=(3, "x"))
    assert len(compare(original, restored, original).differences) == 1


def test_a_table_that_was_written_to_meanwhile_proves_nothing() -> None:
    found = compare(holding(a=(3, "x")), holding(a=(4, "y")), holding(a=(5, "z")))
    assert (found.equal, found.changing, found.differences) == (0, 1, ())


def test_a_table_that_only_the_copy_has_is_a_difference() -> None:
    assert compare(holding(), holding(a=(1, "x")), holding()).differences == (
        "table a: 1 rows with checksum x restored, no table in the original",
    )


def test_missing_databases_and_roles_are_named() -> None:
    original = holding("app", "shop", roles="app guest")
    assert compare(original, holding("app"), original).differences == (
        "database shop is missing",
        "role guest is missing",
    )


@pytest.mark.parametrize(
    ("segment", "holds"),
    [
        (None, False),
        ("000000020000000000000004", False),
        ("000000020000000000000005", True),
        ("000000020000000000000006.00000028.backup", True),
        ("000000020000000100000000", True),
        ("00000002.history", False),
        ("000000030000000000000009", False),
        ("000000010000000000000009", False),
    ],
    ids=["nothing", "before", "itself", "a label", "next file", "history", "another timeline", "an older one"],
)
def test_the_archive_holds_a_segment_when_one_at_or_after_it_is_there(segment: str | None, holds: bool) -> None:
    archiver = Archiver(segment=segment, at=None, failed_segment=None, failed_at=None, waiting=0)
    assert archiver.holds("000000020000000000000005") is holds


BACKUP = Backup(name="b", phase="done", on_demand=True, id="1", end_wal="000000020000000000000005")


@pytest.mark.parametrize(
    ("segment", "stored", "restorable"),
    [
        ("000000020000000000000005", [Stored(id="1", size=1)], True),
        ("000000020000000000000005", None, True),
        ("000000020000000000000005", [Stored(id="2", size=1)], False),
        ("000000020000000000000004", [Stored(id="1", size=1)], False),
        ("000000030000000000000004", [Stored(id="1", size=1)], True),
    ],
    ids=["whole", "store not asked", "gone from the store", "its end is missing", "before a failover"],
)
def test_a_backup_can_be_restored_when_all_of_it_is_there(
    segment: str, stored: list[Stored] | None, restorable: bool
) -> None:
    archiver = Archiver(segment=segment, at=None, failed_segment=None, failed_at=None, waiting=0)
    found = Listing(kind="physical", backups=[BACKUP], earliest=None, archiver=archiver, stored=stored, trouble="")
    assert found.restorable(BACKUP) is restorable
    assert found.gone(BACKUP) is (stored is not None and stored[0].id != "1")
