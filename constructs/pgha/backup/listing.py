"""Which backups there are, and which moments can be restored."""

from dataclasses import dataclass
from datetime import datetime

from pgha.backup.server import Archiver, Server
from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of
from pgha.engines.backups import Backup, Kind


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is known about a cluster's backups. Newest first."""

    kind: Kind
    backups: list[Backup]
    earliest: datetime | None
    """The first moment that can be restored; None without a base backup, and with dumps."""
    archiver: Archiver | None
    """None with dumps, and where the primary cannot be asked (`trouble` says why)."""
    trouble: str
    """Why backups cannot be made at the moment, or the archive not be judged; empty where all is well."""

    def restorable(self, backup: Backup) -> bool:
        """Whether nothing that it needs is missing from the store."""
        if backup.phase != "done":
            return False
        if not backup.end_wal or self.archiver is None:
            return self.kind == "pg_dump"
        # A later timeline began after an earlier one's backups had ended: what they need was archived before.
        return self.archiver.holds(backup.end_wal) or (self.archiver.segment or "")[:8] > backup.end_wal[:8]


def listing(api: Api, cluster: Cluster) -> Listing:
    """Ask the objects that record backups, and the primary for its archive."""
    backups = engine_of(cluster).backups
    trouble, archiver = backups.trouble(cluster, api.read), None
    if backups.makes_clusters:
        try:
            archiver = Server(api, cluster).archiver()
        except UserError as error:
            trouble = trouble or error.what
    return Listing(
        kind=backups.kind,
        backups=backups.known(cluster, api.list),
        earliest=backups.earliest(cluster, api.read),
        archiver=archiver,
        trouble=trouble,
    )
