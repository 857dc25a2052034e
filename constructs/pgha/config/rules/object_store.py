"""Where physical backups lie, who may read them, and the moment that a new cluster is made from."""

import re
from collections.abc import Iterator
from datetime import datetime

from pgha.config.model import Cluster, ObjectStore
from pgha.config.rules.registry import Findings, finding, rule

_READS = ["backup", "recovery"]
_BACKUP, _RECOVERY = "backup.objectStore", "recovery.objectStore"


def stores(cluster: Cluster) -> Iterator[tuple[str, ObjectStore]]:
    """Every object store of the file, with its path there."""
    if cluster.backup and cluster.backup.object_store:
        yield _BACKUP, cluster.backup.object_store
    if cluster.recovery:
        yield _RECOVERY, cluster.recovery.object_store


def place(store: ObjectStore, name: str) -> str:
    """Where the backups of a cluster of that name lie: server and folder, ending with a slash."""
    return f"{(store.endpoint or 'aws').rstrip('/')} {store.destination.rstrip('/')}/{name}/"


@rule(
    "PGHA-E709",
    must="be the URL of a bucket",
    remedy="write s3://BUCKET/FOLDER, and the server's URL as endpoint",
    source="Barman Cloud: destinationPath, endpointURL",
    reads=_READS,
)
def destination(cluster: Cluster) -> Findings:
    """The archiver takes a bucket; a folder or a web address fails at the first segment of write-ahead log."""
    for path, store in stores(cluster):
        if not re.match(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^\s?#]*)?\Z", store.destination):
            yield finding(f"{path}.destination", store.destination)
        if store.endpoint is not None and not re.match(r"https?://[^\s/@]+(?::[0-9]+)?/?\Z", store.endpoint):
            yield finding(f"{path}.endpoint", store.endpoint, must="be the URL of a server")
        if store.endpoint_ca_secret and not (store.endpoint or "").startswith("https://"):
            yield finding(
                f"{path}.endpointCaSecret",
                "it",
                must="stand beside an https endpoint",
                remedy="give the endpoint, or delete the key",
            )


@rule(
    "PGHA-W713",
    must="be encrypted on its way",
    remedy="write an https:// endpoint; endpointCaSecret takes a certificate authority of your own",
    source="Barman Cloud: endpointURL",
    reads=_READS,
)
def encrypted(cluster: Cluster) -> Findings:
    """Backups are the whole of the data; over http anybody on the way can read them."""
    for path, store in stores(cluster):
        if (store.endpoint or "").startswith("http://"):
            yield finding(f"{path}.endpoint", store.endpoint)


@rule(
    "PGHA-E714",
    must="have credentials of one kind",
    remedy="give either credentialsSecret (keys in a Secret) or iamRole (a role of the service account)",
    source="Barman Cloud: s3Credentials, either keys or inheritFromIAMRole",
    reads=_READS,
)
def credentials(cluster: Cluster) -> Findings:
    """Without any, every upload is refused; with both it would hang on the plugin which one counts."""
    for path, store in stores(cluster):
        if store.credentials_secret and store.iam_role:
            yield finding(path, "credentialsSecret and iamRole")
        elif not (store.credentials_secret or store.iam_role):
            yield finding(path, "neither credentialsSecret nor iamRole")
    roles = [(path, store.iam_role) for path, store in stores(cluster) if store.iam_role]
    for path, role in roles:
        if not re.match(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+\Z", role):
            remedy = "write arn:aws:iam::ACCOUNT:role/NAME"
            yield finding(f"{path}.iamRole", role, must="be the ARN of a role", remedy=remedy)
    if len({role for _, role in roles}) > 1:
        yield finding(
            f"{_RECOVERY}.iamRole",
            roles[-1][1],
            must="be the role of backup.objectStore too (the servers have one service account)",
            remedy="let one role read the one place and write the other",
        )


@rule(
    "PGHA-E715",
    must="be a moment with date, time and zone",
    remedy='write it in quotes, such as "2026-11-21T17:05:00Z" or "2026-11-21 18:05:00+01:00"',
    source="PostgreSQL: recovery_target_time",
    reads=["recovery"],
)
def target_time(cluster: Cluster) -> Findings:
    """Without a zone it would mean another moment to each reader, and to the server UTC."""
    text = cluster.recovery.target_time if cluster.recovery else None
    if text is not None and moment(text) is None:
        yield finding("recovery.targetTime", text)


def moment(text: str) -> datetime | None:
    """The moment, or None where date, time of day or zone is missing or wrong."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo is not None and len(text.strip()) > len("2026-11-21+00:00") else None


@rule(
    "PGHA-E716",
    must="be another place than the one that it is made from",
    remedy="give backup.objectStore another destination, such as a folder of its own",
    source="Barman Cloud: a restored cluster must archive elsewhere",
    reads=["name", *_READS],
)
def source_is_only_read(cluster: Cluster) -> Findings:
    """Two histories in one archive: the plugin refuses to archive, and retention would delete the first one's backups.

    A restored cluster continues from an earlier moment, so its write-ahead log has the names of the other's.
    """
    if cluster.backup is None or cluster.backup.object_store is None or cluster.recovery is None:
        return
    own, other = cluster.backup.object_store, cluster.recovery
    if place(own, cluster.name) == place(other.object_store, other.cluster):
        yield finding(f"{_BACKUP}.destination", f"{own.destination}, with the backups of {other.cluster}")
