"""The primary as backups see it: how far its write-ahead log is archived, and a mark in it."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of

_SEGMENT = re.compile("[0-9A-F]{24}")

_ARCHIVER = """
SELECT json_build_object(
    'segment', last_archived_wal, 'at', last_archived_time,
    'failed_segment', last_failed_wal, 'failed_at', last_failed_time,
    'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'))
FROM pg_stat_archiver
"""

_MARK = """
WITH mark AS MATERIALIZED (SELECT pg_current_xact_id()) SELECT pg_walfile_name(pg_current_wal_insert_lsn()) FROM mark
"""
"""A transaction of its own: recovery to a moment ends at the first commit after it, and fails where there is none."""


@dataclass(frozen=True, kw_only=True)
class Archiver:
    """What the primary has archived, by its own account."""

    segment: str | None
    """The last file that reached the store."""
    at: datetime | None
    failed_segment: str | None
    failed_at: datetime | None
    waiting: int
    """Files that are to be archived."""

    @property
    def fails(self) -> bool:
        """Whether the last attempt failed."""
        return self.failed_at is not None and (self.at is None or self.failed_at > self.at)

    def holds(self, segment: str) -> bool:
        """Whether a segment is archived: files go in their order, so it is when one at or after it is.

        A later timeline says nothing about the end of an earlier one.
        """
        name = self.segment or ""
        return bool(_SEGMENT.match(name)) and name[:8] == segment[:8] and name[:24] >= segment


@dataclass(frozen=True)
class Server:
    """The primary of a running cluster, asked over its own socket."""

    api: Api
    cluster: Cluster

    def ask(self, *statements: str, database: str = "postgres", timeout: float = 60) -> str:
        """What psql prints for these statements, in one session, each a transaction of its own.

        Raises:
            UserError: There is no primary at the moment, it cannot be asked, or a statement failed.
        """
        engine = engine_of(self.cluster)
        pod = engine.primary(self.cluster, self.api.read)
        if pod is None:
            raise UserError(f"cluster {self.cluster.name} has no primary at the moment", "see: pgha status")
        shell = engine.shell(self.cluster)
        options = ("--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1")
        commands = [f"--command={statement.strip()}" for statement in statements]
        words = [*shell.psql, *options, f"--dbname={database}", *commands]
        return self.api.execute(self.cluster.namespace, pod, shell.container, words, timeout=timeout)

    def archiver(self) -> Archiver:
        """How far archiving is."""
        facts = json.loads(self.ask(_ARCHIVER))
        moments = {key: datetime.fromisoformat(facts[key]) if facts[key] else None for key in ("at", "failed_at")}
        return Archiver(**(facts | moments))

    def mark(self) -> str:
        """Commit something, and end the segment with it; returns the segment's name."""
        printed = self.ask(_MARK, "SELECT pg_switch_wal() IS NULL")
        return printed.split()[0]
