"""The servers: version, parameters, size, volumes and place."""

from dataclasses import replace

from pgha.config.changes import Change
from pgha.engines.cloudnative_pg.effects.words import (
    ACCESS,
    CLUSTER,
    DATABASES,
    HEARTBEAT,
    PODS,
    POOLER,
    QUORUM,
    RESTORE,
    RULES,
    VOLUMES,
    reload,
    replaced,
)
from pgha.engines.cloudnative_pg.images import image
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import SAME_QUANTITY, comes, fewer, goes, refused, shrinks
from pgha.engines.effects.parameters import falls, is_foreign, name, needs_restart, new_sessions_only, same

_DEFAULTS = {
    "archive_timeout": "5min",
    "dynamic_shared_memory_type": "posix",
    "full_page_writes": "on",
    "max_parallel_workers": "32",
    "max_worker_processes": "32",
    "max_replication_slots": "32",
    "shared_memory_type": "mmap",
    "ssl_max_protocol_version": "TLSv1.3",
    "ssl_min_protocol_version": "TLSv1.3",
    "wal_keep_size": "512MB",
    "wal_level": "logical",
    "wal_log_hints": "on",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
}
"""What the operator sets where the file does not (`pkg/postgres/configuration.go`, GlobalDefaultSettings)."""

_LIBRARIES = ("pg_stat_statements.", "pgaudit.", "auto_explain.", "pg_failover_slots.")
"""A parameter with such a name makes the operator preload the library (ManagedExtensions there)."""


def _libraries(change: Change) -> bool:
    """Whether the first parameter of a library comes, or its last one goes."""
    before, after = (
        {prefix for prefix in _LIBRARIES for key in cluster.postgresql.parameters if key.lower().startswith(prefix)}
        for cluster in (change.before, change.after)
    )
    return any(name(change).startswith(prefix) for prefix in before ^ after)


def _same_image(change: Change) -> bool:
    return image(change.before) == image(change.after)


def _other_major(change: Change) -> bool:
    return change.before.postgresql.version != change.after.postgresql.version


def _expands(change: Change) -> bool:
    """Whether the provisioner of the class can enlarge a volume: Rancher's local-path cannot."""
    return "local-path" not in change.before.storage.storage_class


_MAJOR = (
    Case(
        level=Level.REFUSED,
        reason="an older major version cannot read the data of a newer one; the operator's webhook refuses it",
        objects=(*CLUSTER, *HEARTBEAT, *ACCESS),
        remedy="dump the databases and restore them into a new cluster",
        when=lambda change: change.after.postgresql.major < change.before.postgresql.major,
        said="to an older major version",
    ),
    Case(
        level=Level.REFUSED,
        reason="the operator's webhook takes major upgrades to version 16 or newer only",
        objects=(*CLUSTER, *HEARTBEAT, *ACCESS),
        remedy="write 16 or newer",
        when=lambda change: _other_major(change) and change.after.postgresql.major < 16,
        said="to a newer one below 16",
    ),
    Case(
        level=Level.OUTAGE,
        reason="the operator stops every server, runs pg_upgrade, and makes the standbys' volumes anew; backups taken "
        "before cannot bring the new version to a point in time",
        objects=(*VOLUMES, *HEARTBEAT, *ACCESS),
        remedy="take a backup, try it on a restored copy, and take another backup afterwards",
        when=_other_major,
        said="to a newer major version",
    ),
)

_GROWS = (
    Case(
        level=Level.REFUSED,
        reason="local-path volumes cannot be enlarged: Kubernetes refuses the claims, and the operator goes no further "
        "until the size is put back",
        objects=VOLUMES,
        remedy=RESTORE,
        when=lambda change: not _expands(change),
        said="it grows, on local-path",
    ),
    Case(
        level=Level.VOLUME,
        reason="every claim is enlarged where it is; no data moves. The StorageClass must have allowVolumeExpansion, "
        "and one that cannot enlarge a volume in use waits for its pod to be deleted",
        objects=VOLUMES,
    ),
)
_SIZE = (
    SAME_QUANTITY,
    Case(
        level=Level.REFUSED,
        reason="a volume cannot shrink; the operator's webhook refuses it",
        objects=(*CLUSTER, *RULES),
        remedy=RESTORE,
        when=shrinks,
        said="it shrinks",
    ),
    *_GROWS,
)

SERVER: Rules = {
    "instances": (
        Case(
            level=Level.VOLUME,
            reason="the newest standbys leave, and the operator deletes their volumes; the primary stays",
            objects=VOLUMES,
            when=fewer,
            said="fewer",
        ),
        Case(
            level=Level.VOLUME,
            reason="each new standby gets a volume and copies the whole data from the primary",
            objects=VOLUMES,
        ),
    ),
    "postgresql.version": (
        *_MAJOR[:2],
        Case(
            level=Level.NOTHING,
            reason="the image that the file names stays, and it decides",
            when=_same_image,
            said="postgresql.image is given and stays",
        ),
        replace(_MAJOR[2], when=None, said=""),
    ),
    "postgresql.image": (
        *_MAJOR,
        Case(
            level=Level.NOTHING,
            reason="it is the image that runs anyway",
            when=_same_image,
            said="the engine's own image for this version",
        ),
        replace(
            replaced("another image, which the heartbeat and the jobs of ours use too"),
            objects=(*PODS, *HEARTBEAT, *ACCESS),
        ),
    ),
    "postgresql.parameters.*": (
        Case(
            level=Level.NOTHING,
            reason="the server reads the same value",
            objects=CLUSTER,
            when=same(_DEFAULTS),
            said="the same value, or the default, written otherwise",
        ),
        Case(
            level=Level.FAILOVER,
            reason="the operator loads or unloads the extension's library, which a server does only at its start: "
            "standbys restart one by one, then it switches over",
            objects=(*PODS, *DATABASES),
            when=_libraries,
            said="the first of pg_stat_statements.*, pgaudit.*, auto_explain.* or pg_failover_slots.* comes, or the "
            "last goes",
        ),
        Case(
            level=Level.RESTART,
            reason="standbys need at least the primary's value, so the primary restarts first, where it is, then the "
            "standbys: writes wait for the restart",
            objects=PODS,
            when=falls(_DEFAULTS),
            said="max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions or "
            "max_locks_per_transaction falls",
        ),
        Case(
            level=Level.FAILOVER,
            reason="the server takes it up only at its start (context postmaster): standbys restart one by one, then "
            "the operator switches over and restarts the old primary",
            objects=PODS,
            when=needs_restart,
            said="context postmaster in pg_settings, and pg_stat_statements.max",
        ),
        Case(
            level=Level.RELOAD,
            reason="the servers reload; sessions that are open keep the old value",
            objects=CLUSTER,
            when=new_sessions_only,
            said="context backend or superuser-backend",
        ),
        Case(
            level=Level.RELOAD,
            reason="the servers reload; whether the extension takes the value up without a restart is its own affair",
            objects=CLUSTER,
            when=is_foreign,
            said="an extension's parameter",
        ),
        reload("the servers reload, and the value holds at once"),
    ),
    "postgresql.audit": (
        Case(
            level=Level.FAILOVER,
            reason="the operator loads or unloads the pgAudit library, which a server does only at its start: standbys "
            "restart one by one, then it switches over",
            objects=(*PODS, *DATABASES),
        ),
    ),
    "replication.mode": (
        reload("synchronous_standby_names changes: commits begin or cease to wait for standbys", *QUORUM, *RULES),
    ),
    "replication.synchronousStandbys": (reload("commits wait for more or fewer standbys", *CLUSTER, *RULES),),
    "replication.durability": (reload("what commits do while too few standbys answer changes", *QUORUM),),
    **{
        f"resources.{part}.{kind}": (SAME_QUANTITY, replaced("a pod's resources are fixed when it is made"))
        for part in ("requests", "limits")
        for kind in ("cpu", "memory")
    },
    "storage.size": _SIZE,
    "storage.storageClass": (
        refused(
            "existing volumes keep their class, and instances made later would get the other one",
            *CLUSTER,
            remedy=RESTORE,
        ),
    ),
    "storage.walSize": (
        Case(
            level=Level.VOLUME,
            reason="every instance gets a second volume and its pod is replaced, the primary's after a switchover",
            objects=VOLUMES,
            when=comes,
            said="it comes",
        ),
        Case(
            level=Level.REFUSED,
            reason="a volume for the write-ahead log cannot be given up; the operator's webhook refuses it",
            objects=(*CLUSTER, *RULES),
            remedy=RESTORE,
            when=goes,
            said="it goes",
        ),
        *_SIZE,
    ),
    "placement.antiAffinity": (
        replace(replaced("a pod's affinity is fixed when it is made"), objects=(*PODS, *POOLER)),
    ),
    "placement.topologyKey": (
        replace(replaced("a pod's affinity is fixed when it is made"), objects=(*PODS, *POOLER)),
    ),
    "placement.nodeSelector.*": (
        replace(
            replaced("a pod's node selector is fixed when it is made"),
            remedy="make sure that the nodes which hold local volumes are still selected: a volume does not move",
        ),
    ),
}
