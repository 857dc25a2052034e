"""Backups and credentials."""

from dataclasses import replace

from pgha.engines.bitnami.effects.words import (
    DUMP_CLAIM,
    DUMP_FILES,
    DUMPS,
    EXTERNAL,
    FILES,
    JOB,
    WATCH,
    nothing,
    pgpool,
)
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import COMMON, NOTHING, SAME_QUANTITY, fewer, goes, refused, shrinks

_BACKUP = (*DUMPS, *DUMP_FILES, *DUMP_CLAIM, *JOB, *WATCH)

OPERATIONS: Rules = {
    "delivery": (
        COMMON["delivery"][0],
        refused(
            "a chart that Argo CD renders is in no record of Helm, and OpenTofu cannot take it over",
            remedy="keep delivery: argocd; only a chart that OpenTofu had installed before can go back",
        ),
    ),
    "backup": (
        Case(
            level=Level.NOTHING,
            reason="no more dumps are made; the volume with the old ones stays",
            objects=_BACKUP,
            when=goes,
            said="it goes",
        ),
        nothing("a job dumps the databases by schedule, onto a volume of its own", *_BACKUP),
    ),
    "backup.method": (nothing("it is what the engine does anyway"),),
    "backup.schedule": (nothing("the next dump comes at another time", *DUMPS),),
    "backup.timeZone": (nothing("the next dump comes at another time", *DUMPS),),
    "backup.retentionDays": (
        replace(nothing("older dumps are deleted after the next one, for good", *DUMPS), when=fewer, said="fewer"),
        nothing("dumps are kept longer; the volume needs the room", *DUMPS),
    ),
    **{
        f"{place}{key}": (NOTHING,)
        for place in ("backup.objectStore", "recovery.objectStore")
        for key in ("", ".destination", ".endpoint", ".region", ".credentialsSecret", ".iamRole", ".endpointCaSecret")
        if place + key != "recovery.objectStore"  # it is never left out alone
    },
    **dict.fromkeys(("recovery", "recovery.cluster", "recovery.targetTime"), (NOTHING,)),
    "backup.volume.size": (
        SAME_QUANTITY,
        replace(
            refused("a volume cannot shrink", *DUMP_CLAIM, remedy="keep the size"), when=shrinks, said="it shrinks"
        ),
        Case(
            level=Level.VOLUME,
            reason="the claim is enlarged where it is, if its StorageClass can (local-path cannot: it is refused)",
            objects=DUMP_CLAIM,
        ),
    ),
    "backup.volume.storageClass": (
        refused("a claim keeps its class", *DUMP_CLAIM, remedy="copy the dumps away, delete the claim, then apply"),
    ),
    **{
        f"backup.volume.{key}": (
            Case(
                level=Level.BY_HAND,
                reason="dumps go elsewhere from now on; the old ones stay where they are",
                objects=(*DUMPS, *DUMP_CLAIM),
                remedy="copy them over, or keep the old place until it has left the retention",
            ),
        )
        for key in ("nfsServer", "nfsPath")
    },
    "credentials.source": (
        Case(
            level=Level.BY_HAND,
            reason="the users' Secrets are filled by somebody else; PostgreSQL and Pgpool-II read a password when they "
            "start",
            objects=EXTERNAL,
            remedy="raise credentials.revision once the Secrets are filled",
        ),
    ),
    "credentials.revision": (
        pgpool("every user's password is replaced, and Pgpool-II has them too", *JOB, "Secret {namespace}/*"),
    ),
    "credentials.superuserAccess": (pgpool("Pgpool-II lets the superuser in, or no more", *FILES),),
    **{
        f"credentials.awsSecretsManager{key}": (
            Case(
                level=Level.BY_HAND,
                reason="External Secrets fills the Secrets from another place; PostgreSQL and Pgpool-II read a "
                "password when they start",
                objects=EXTERNAL,
                remedy="raise credentials.revision once the Secrets are filled",
            ),
        )
        for key in (
            "",
            ".region",
            ".store",
            ".storeKind",
            ".createStore",
            ".serviceAccount",
            ".accessKeysSecret",
            ".superuserKey",
            ".userKeys.*",
        )
    },
    "credentials.awsSecretsManager.refreshInterval": (nothing("External Secrets looks sooner or later", *EXTERNAL),),
}
