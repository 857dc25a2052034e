"""A backup now, and waiting until it can be restored."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pgha.backup.patience import Patience
from pgha.backup.server import Archiver, Server
from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of
from pgha.engines.backups import Backup
from pgha.resources.metadata import describe

Say = Callable[[str], None]

_POLL_SECONDS = 1.0
_ARCHIVE_SECONDS = 300.0
"""How long the last segment may take; stock archiving of an idle cluster takes that long, ours some seconds."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A backup that can be restored."""

    backup: Backup
    continued: bool
    """Whether it was running already."""
    archived: datetime | None
    """When the last segment that it needs had reached the store."""


class BackupFailed(Exception):  # noqa: N818 - a result, not a fault of the user's
    """The backup ended without being one; the message says why."""


def take(api: Api, cluster: Cluster, *, timeout: float, say: Say) -> Taken:
    """Make a backup and wait until nothing that it needs is missing from the store.

    One that a person asked for before and that still runs is waited for, not doubled.

    Raises:
        BackupFailed: It failed, or did not end in time.
        UserError: None can be made now.
    """
    backups = engine_of(cluster).backups
    if trouble := backups.trouble(cluster, api.read):
        raise UserError(f"no backup can be made now: {trouble}", "mend that, then run it again")
    running = [each for each in backups.known(cluster, api.list) if each.on_demand and each.phase != "done"]
    running = [each for each in running if each.phase != "failed"]
    name = running[0].name if running else f"{cluster.name}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    if not running:
        wanted = backups.request(cluster, name, api.read)
        if wanted is None:
            raise UserError(f"cluster {cluster.name} does not run here", f"start it: pgha up {cluster.name}")
        say(f"created {describe(api.create(wanted))}")
    found = _ended(api, cluster, name, time.monotonic() + timeout, say)
    archived = until_archived(Server(api, cluster), found.end_wal, say).at if found.end_wal else None
    return Taken(backup=found, continued=bool(running), archived=archived)


def until_archived(server: Server, segment: str, say: Say, *, seconds: float = _ARCHIVE_SECONDS) -> Archiver:
    """Wait until a segment of write-ahead log is in the store.

    Raises:
        BackupFailed: Another server became primary before it was, or it took too long.
    """
    deadline, patience, failing = time.monotonic() + seconds, Patience(say), ""
    while True:
        archiver = patience.ask(server.archiver)
        if archiver is not None:
            if archiver.holds(segment):
                return archiver
            if (archiver.segment or "")[:8] > segment[:8]:
                raise BackupFailed(f"another server became primary before segment {segment} was archived; run it again")
            failing = f"; the last attempt failed at {archiver.failed_at:%H:%M:%S} UTC" if archiver.fails else ""
            say(f"waiting until segment {segment} is archived, {archiver.waiting} to go{failing}")
        if time.monotonic() >= deadline:
            raise BackupFailed(f"segment {segment} was not archived within {seconds:.0f} s{failing}")
        time.sleep(_POLL_SECONDS)


def _ended(api: Api, cluster: Cluster, name: str, deadline: float, say: Say) -> Backup:
    begun, backups, patience = time.monotonic(), engine_of(cluster).backups, Patience(say)
    while True:
        known = patience.ask(lambda: backups.known(cluster, api.list))
        if known is not None:
            found = next((each for each in known if each.name == name), None)
            if found is None:
                raise BackupFailed(f"backup {name} was deleted while it was made")
            if found.phase == "done":
                return found
            if found.phase == "failed":
                raise BackupFailed(f"backup {name} failed: {found.reason or 'no reason given'}")
            say(f"backup {name}: {found.phase}, {10 * ((time.monotonic() - begun) // 10):.0f} s")
        if time.monotonic() >= deadline:
            raise BackupFailed(f"backup {name} has not ended yet; run it again to go on waiting")
        time.sleep(_POLL_SECONDS)
