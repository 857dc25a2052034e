"""The servers: version, parameters, size, volumes and place."""

from dataclasses import replace

from pgha.config.changes import Change
from pgha.engines.bitnami.effects.words import (
    CLAIMS,
    DEFAULTS,
    DUMP_CLAIM,
    DUMPS,
    FALLING,
    JOB,
    PGPOOL,
    RESTORE,
    SERVERS,
    WATCH,
    job,
    replaced,
)
from pgha.engines.bitnami.pgpool import size
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import MONITOR, NOTHING, SAME_QUANTITY, fewer, refused, shrinks
from pgha.engines.effects.parameters import falls, name


def _other_major(change: Change) -> bool:
    return change.before.postgresql.version != change.after.postgresql.version


def _same_line(change: Change) -> bool:
    """Whether postgresql.conf stays as it is, letter by letter: its checksum is what starts the servers anew."""
    if name(change) == "max_connections":
        return not _connections_change(change)
    text = [cluster.postgresql.settings.get(name(change)) for cluster in (change.before, change.after)]
    return text[0] is not None and text[0] == text[1]


def _connections_change(change: Change) -> bool:
    """Whether max_connections differs, which follows from Pgpool-II's numbers where the file does not give it."""
    return size(change.before).max_connections != size(change.after).max_connections


def _falls(change: Change) -> bool:
    if change.pattern != "postgresql.parameters.*" or name(change) == "max_connections":
        return size(change.after).max_connections < size(change.before).max_connections
    return falls(DEFAULTS)(change)


_STUCK = Case(
    level=Level.BY_HAND,
    reason="a standby does not start with less than its primary has, so the StatefulSet stops at the first one",
    objects=(*SERVERS, *PGPOOL, *WATCH),
    remedy="delete the primary's pod as soon as the first standby hangs: it comes back with the new value",
    when=_falls,
    said=FALLING,
)
_MAJOR = refused(
    "the image of another major version cannot start on these volumes, and nothing runs pg_upgrade",
    *SERVERS,
    remedy=RESTORE,
)


def sized(case: Case) -> tuple[Case, ...]:
    """What also decides max_connections, where the file does not give it."""
    return (
        replace(_STUCK, said="max_connections follows from it, and falls"),
        replace(
            replaced("max_connections follows from it", *PGPOOL, *WATCH),
            when=_connections_change,
            said="max_connections follows from it, and rises",
        ),
        case,
    )


SERVER: Rules = {
    "instances": (
        Case(
            level=Level.FAILOVER,
            reason="the pods with the highest numbers go, be it the primary; every other pod is replaced, because each "
            "knows the list of all. The volumes of those that went stay",
            objects=(*SERVERS, *PGPOOL, *JOB, *DUMPS, *WATCH),
            when=fewer,
            said="fewer",
        ),
        Case(
            level=Level.VOLUME,
            reason="each new standby gets a volume and copies the whole data; every other pod is replaced, because "
            "each knows the list of all",
            objects=(*CLAIMS, *PGPOOL, *JOB, *DUMPS, *WATCH),
        ),
    ),
    "postgresql.version": (_MAJOR,),
    "postgresql.image": (
        replace(_MAJOR, when=_other_major, said="of another major version"),
        replaced("another image", *JOB, *DUMPS),
    ),
    "postgresql.parameters.*": (
        Case(
            level=Level.NOTHING,
            reason="postgresql.conf stays as it is",
            when=_same_line,
            said="the same text, or the max_connections that follows anyway",
        ),
        _STUCK,
        replaced("the configuration is read at the start, whatever the parameter", *PGPOOL, *WATCH),
    ),
    "postgresql.audit": (replaced("the pgAudit library is loaded at a server's start"),),
    "replication.mode": (job("changes synchronous_standby_names on every server, which reload", level=Level.RELOAD),),
    "replication.synchronousStandbys": (
        job("changes synchronous_standby_names on every server, which reload", level=Level.RELOAD),
    ),
    "replication.durability": (NOTHING,),
    **{
        f"resources.{part}.{kind}": (
            SAME_QUANTITY,
            replaced("a pod's resources are fixed when it is made"),
        )
        for part in ("requests", "limits")
        for kind in ("cpu", "memory")
    },
    "storage.size": (
        SAME_QUANTITY,
        replace(refused("a volume cannot shrink", *CLAIMS, *WATCH, remedy=RESTORE), when=shrinks, said="it shrinks"),
        refused(
            "a StatefulSet's volumeClaimTemplates cannot change: Kubernetes refuses the whole update",
            *CLAIMS,
            *WATCH,
            remedy="where the StorageClass can enlarge volumes (local-path cannot): enlarge each claim by hand, delete "
            "the StatefulSet with --cascade=orphan, then apply",
        ),
    ),
    "storage.storageClass": (
        refused(
            "a StatefulSet's volumeClaimTemplates cannot change, nor a claim's class",
            *CLAIMS,
            *DUMP_CLAIM,
            remedy=RESTORE,
        ),
    ),
    "storage.walSize": (NOTHING,),
    **{
        f"placement.{key}": (replaced("a pod's place is decided when it is made", *PGPOOL),)
        for key in ("antiAffinity", "topologyKey", "nodeSelector.*")
    },
    "monitoring.enabled": (
        replaced("the exporter runs in the servers' pods", *MONITOR, "NetworkPolicy {namespace}/{name}-*"),
    ),
    "monitoring.alerts.replicationLagWarningSeconds": (
        replaced("a standby that lags more counts as not ready, and the probe is part of its pod", *MONITOR),
    ),
}
