"""Which backups there are, and which moments can be restored."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime

from pgha.backup.server import Archiver, Server
from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of
from pgha.engines.backups import Backup, Kind, Stored

_STORE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is known about a cluster's backups. Newest first."""

    kind: Kind
    backups: list[Backup]
    earliest: datetime | None
    """The first moment that can be restored; None without a base backup, and with dumps."""
    archiver: Archiver | None
    """None with dumps, and where the primary cannot be asked (`trouble` says why)."""
    stored: list[Stored] | None
    """What the store itself lists; None where it was not asked, or did not answer."""
    trouble: str
    """Why backups cannot be made at the moment, or not be judged; empty where all is well."""

    def lies(self, backup: Backup) -> Stored | None:
        """The backup in the store; None where it is not there, or the store was not asked."""
        return next((each for each in self.stored or [] if each.id == backup.id), None)

    def gone(self, backup: Backup) -> bool:
        """Whether there is a record of it, and nothing in the store."""
        return backup.phase == "done" and self.stored is not None and self.lies(backup) is None

    def restorable(self, backup: Backup) -> bool:
        """Whether nothing that it needs is missing from the store."""
        if backup.phase != "done" or self.gone(backup):
            return False
        if not backup.end_wal or self.archiver is None:
            return self.kind == "pg_dump"
        # A later timeline began after an earlier one's backups had ended: what they need was archived before.
        return self.archiver.holds(backup.end_wal) or (self.archiver.segment or "")[:8] > backup.end_wal[:8]


def listing(api: Api, cluster: Cluster) -> Listing:
    """Ask the objects that record backups, the primary for its archive, and the store for what lies in it."""
    backups = engine_of(cluster).backups
    trouble = backups.trouble(cluster, api.read)
    archiver: Archiver | None = None
    stored: list[Stored] | None = None
    if backups.makes_clusters:
        try:
            archiver = Server(api, cluster).archiver()
            # A store that is known not to answer is not waited for.
            stored = None if trouble or archiver.fails else _stored(api, cluster)
        except UserError as error:
            trouble = trouble or error.what
    return Listing(
        kind=backups.kind,
        backups=backups.known(cluster, api.list),
        earliest=backups.earliest(cluster, api.read),
        archiver=archiver,
        stored=stored,
        trouble=trouble,
    )


def _stored(api: Api, cluster: Cluster) -> list[Stored] | None:
    engine = engine_of(cluster)
    inquiry, pod = engine.backups.inquiry(cluster), engine.primary(cluster, api.read)
    if inquiry is None or pod is None:
        return None
    values: dict[str, str] = {}
    for variable, (secret, key) in inquiry.secrets.items():
        data = (api.read("v1", "Secret", cluster.namespace, secret) or {}).get("data") or {}
        values[variable] = base64.b64decode(data.get(key, "")).decode()
    printed = api.execute(
        cluster.namespace,
        pod,
        inquiry.container,
        inquiry.command,
        timeout=_STORE_SECONDS,
        stdin=json.dumps(values),
    )
    try:
        return engine.backups.stored(printed)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("the store's list cannot be read", "look at it with barman-cloud-backup-list") from error
