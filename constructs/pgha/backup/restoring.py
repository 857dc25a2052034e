"""The cluster that is made from another one's backups: its file, and whether the wished moment can be had."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pgha.backup.server import Server
from pgha.backup.taking import BackupFailed, Say, until_archived
from pgha.config.model import Cluster, Recovery
from pgha.config.problems import UserError
from pgha.config.rules.object_store import moment
from pgha.config.writing import dump
from pgha.delivery.kubernetes import Api
from pgha.engines import engine_of

_MARK_SECONDS = 120.0


def restored(cluster: Cluster, name: str, at: datetime | None) -> Cluster:
    """The same cluster under another name, in a namespace of its own, made from this one's backups.

    It archives into a folder of its own name. An address on the LAN can be used once, so it has none.

    Raises:
        UserError: The cluster has no physical backups.
    """
    if cluster.backup is None or cluster.backup.object_store is None:
        raise UserError(f"cluster {cluster.name} has no backups in an object store", "add backup.objectStore first")
    recovery = Recovery(cluster=cluster.name, object_store=cluster.backup.object_store)
    if at is not None:
        recovery = recovery.model_copy(update={"target_time": at.astimezone(UTC).isoformat()})
    return cluster.model_copy(
        update={
            "name": name,
            "namespace": name,
            "network": cluster.network.model_copy(update={"load_balancer": None}),
            "recovery": recovery,
        }
    )


def text(cluster: Cluster, made: Cluster) -> str:
    """The new cluster's file."""
    state = made.recovery.target_time if made.recovery and made.recovery.target_time else "the newest archived"
    return (
        "# yaml-language-server: $schema=../docs/reference/cluster.schema.json\n"
        f"# Made by `pgha restore {cluster.name}`, state: {state}. From here on an ordinary cluster file.\n"
        "# `recovery` is read only while the cluster is made. There is no loadBalancer: an address can be used once.\n"
        + dump(made)
    )


def parsed(at: str | None) -> tuple[datetime | None, list[str]]:
    """The moment, and what is wrong with it."""
    if at is None:
        return None, []
    found = moment(at)
    if found is None:
        return None, [
            f'--at: must be a moment with date, time and zone, got {at}; write it like "2026-11-21T17:05:00Z"'
        ]
    if found > (now := datetime.now(UTC)):
        return None, [f"--at: must not lie in the future, got {at}; now it is {now:%Y-%m-%dT%H:%M:%SZ}"]
    return found, []


def outside(api: Api, cluster: Cluster, at: datetime | None) -> list[str]:
    """What stands against restoring that moment, as far as the running cluster knows."""
    backups = engine_of(cluster).backups
    first = backups.earliest(cluster, api.read)
    if first is None and not any(each.phase == "done" for each in backups.known(cluster, api.list)):
        return [f"{cluster.name}: must have a backup, got none; make one: pgha backup {cluster.name}"]
    if at is not None and first is not None and at < first:
        begin = f"{first.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return [f"--at: must not lie before the first moment that can be restored, got {at.isoformat()}; it is {begin}"]
    return []


def archive_to_now(api: Api, cluster: Cluster, say: Say, *, seconds: float = _MARK_SECONDS) -> str:
    """End the current segment of write-ahead log with a commit and wait until it is in the store; returns its name.

    After that every moment up to now can be restored: recovery needs a commit after the moment to know that it is
    reached.

    Raises:
        UserError: Archiving does not work, so nothing newer than its last success can be restored.
    """
    server = Server(api, cluster)
    segment = server.mark()
    try:
        until_archived(server, segment, say, seconds=seconds)
    except BackupFailed as failure:
        raise UserError(str(failure), "mend archiving first: pgha backup list shows why it fails") from None
    return segment


def refuse(problems: Sequence[str]) -> None:
    """All of them at once.

    Raises:
        UserError: There is one.
    """
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n  ".join([f"{count}, nothing was written", *problems]), "mend them and run it again")
