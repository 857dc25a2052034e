"""Backups and credentials."""

from dataclasses import replace

from pgha.engines.cloudnative_pg.effects.words import CLUSTER, PODS, RULES, access, nothing, replaced
from pgha.engines.effects import Case, Level, Rules
from pgha.engines.effects.common import NOTHING, comes, fewer

_SCHEDULE = ("ScheduledBackup {namespace}/{name}*",)
_STORE = ("ObjectStore {namespace}/{name}*",)
_SECRETS = ("Secret {namespace}/{name}-*",)
_EXTERNAL = ("ExternalSecret {namespace}/*",)

_ELSEWHERE = Case(
    level=Level.BY_HAND,
    reason="backups and write-ahead log go elsewhere from now on: what is in the new place does not continue what is "
    "in the old one",
    objects=(*_STORE, *CLUSTER),
    remedy="take a base backup at once, and keep the old place until it has left the retention",
)

_READ_ONCE = Case(
    level=Level.NOTHING,
    reason="it is read only while the cluster is made: the data that are there stay as they are",
    objects=(*CLUSTER, "ObjectStore {namespace}/{name}-recovery"),
    remedy="to have other data, make another cluster: pgha restore",
)

BACKUP: Rules = {
    "backup": (
        Case(
            level=Level.RESTART,
            reason="a program that archives the write-ahead log joins every pod: standbys are replaced, then the "
            "primary where it is, because it could not hand over without archiving; writes wait",
            objects=(*PODS, *_SCHEDULE, *_STORE, *RULES),
            when=comes,
            said="it comes",
        ),
        replace(
            replaced("the program that archives the write-ahead log leaves every pod, and no more backups are made"),
            objects=(*PODS, *_SCHEDULE, *_STORE, *RULES),
        ),
    ),
    "backup.method": (nothing("it is what the engine does anyway"),),
    "backup.schedule": (nothing("the next backup comes at another time", *_SCHEDULE, *RULES),),
    "backup.timeZone": (NOTHING,),
    "backup.retentionDays": (
        Case(
            level=Level.NOTHING,
            reason="older backups are deleted after the next one, for good",
            objects=_STORE,
            remedy="copy away what must be kept",
            when=fewer,
            said="fewer",
        ),
        nothing("backups are kept longer; the store needs the room", *_STORE),
    ),
    "backup.objectStore": (_ELSEWHERE,),
    "backup.objectStore.destination": (_ELSEWHERE,),
    "backup.objectStore.endpoint": (_ELSEWHERE,),
    "backup.objectStore.region": (replaced("an environment variable of the program that archives changes"),),
    "backup.objectStore.credentialsSecret": (nothing("backups use the keys of another Secret", *_STORE),),
    "backup.objectStore.iamRole": (replaced("the pods' service account takes on another role"),),
    "backup.objectStore.endpointCaSecret": (replaced("the pods mount another authority's certificate"),),
    "recovery": (_READ_ONCE,),
    **{
        f"recovery.{key}": (_READ_ONCE,)
        for key in (
            "cluster",
            "targetTime",
            "objectStore.destination",
            "objectStore.endpoint",
            "objectStore.region",
            "objectStore.credentialsSecret",
            "objectStore.iamRole",
            "objectStore.endpointCaSecret",
        )
    },
    **{f"backup.volume.{key}": (NOTHING,) for key in ("size", "storageClass", "nfsServer", "nfsPath")},
}

CREDENTIALS: Rules = {
    "credentials.source": (
        access("passwords come from elsewhere: every role gets a new one, and open sessions stay", *_SECRETS, *CLUSTER),
    ),
    "credentials.revision": (
        access(
            "every generated password is replaced; open sessions stay, new ones need the new password",
            *_SECRETS,
            remedy="let applications read their Secret again",
        ),
    ),
    "credentials.superuserAccess": (
        access("the superuser's password is set, or taken away", *CLUSTER, "Secret {namespace}/{name}-superuser"),
    ),
    "credentials.awsSecretsManager": (access("External Secrets begins or ceases to fill the Secrets", *_EXTERNAL),),
    "credentials.awsSecretsManager.refreshInterval": (nothing("new passwords arrive sooner or later", *_EXTERNAL),),
    **{
        f"credentials.awsSecretsManager.{key}": (
            access("passwords are read from another place; open sessions stay", *_EXTERNAL, *_SECRETS),
        )
        for key in (
            "region",
            "store",
            "storeKind",
            "createStore",
            "serviceAccount",
            "accessKeysSecret",
            "superuserKey",
            "userKeys.*",
        )
    },
}
