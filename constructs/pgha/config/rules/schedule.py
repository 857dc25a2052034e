"""When backups are made, where they go and how long they stay."""

import math
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from pgha.config.model import Backup, Cluster
from pgha.config.quantity import binary, quantity
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import show

_SCHEDULE = "backup.schedule"
_READS = ["backup", "engine"]
_NAMES = {"day-of-month": "day of the month (1-31)", "month": "month (1-12)", "day-of-week": "weekday (0-6)"}
_NAMES |= {"second": "second (0-59)", "minute": "minute (0-59)", "hour": "hour (0-23)"}


def _fields(backup: Backup) -> list[str]:
    return backup.schedule.split()


def _wrong(schedule: str) -> str | None:
    """Which field is wrong, in cronsim's words, or None. Seconds come first where there are six fields."""
    try:
        CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        return str(error)
    return None


def _gaps(schedule: str) -> list[timedelta]:
    """The times between the next few runs; empty for one that never runs."""
    runs = CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    try:
        moments = [next(runs) for _ in range(5)]
    except StopIteration:
        return []
    return [later - earlier for earlier, later in pairwise(moments)]


@rule(
    "PGHA-E701",
    must="be five fields of cron",
    remedy="write minute, hour, day, month, weekday, such as 0 2 * * *",
    source="Kubernetes: CronJob schedule; CloudNativePG: ScheduledBackup; reliability: bad input 50",
    reads=_READS,
)
def schedule(cluster: Cluster) -> Findings:
    """CloudNativePG counts seconds first; pgha puts them before five fields.

    The operator would take `0 2 * * *` for the second minute of every
    hour. Words such as @daily, and L, W, # and ?, mean something else, or nothing, elsewhere.
    """
    if cluster.backup is None or "TZ=" in cluster.backup.schedule:
        return
    text, fields = cluster.backup.schedule, _fields(cluster.backup)
    six = cluster.engine == "cloudnative-pg"
    if len(fields) != 5 and not (six and len(fields) == 6):
        must = "be five or six fields of cron" if six else "be five fields of cron"
        remedy = "a CronJob has no seconds: drop the first field" if len(fields) == 6 else None
        yield finding(_SCHEDULE, text, must=must, remedy=remedy)
    elif strange := re.search(r"[LW#?@]", re.sub(r"[A-Za-z]{3}", "", text.upper())):
        yield finding(_SCHEDULE, text, must="be plain cron", remedy=f"write it without {strange[0]}")
    elif (wrong := _wrong(text)) and next(never(cluster), None) is None:
        field = wrong.removeprefix("Bad ")
        yield finding(_SCHEDULE, text, must=f"have a valid {_NAMES.get(field, field)}", remedy="correct that field")
    elif re.search(r"7", fields[-1]):
        yield finding(_SCHEDULE, text, must="have a valid weekday (0-6)", remedy="write 0 for Sunday")


@rule(
    "PGHA-E702",
    must="come due one day",
    remedy="correct the day or the month",
    source="reliability: bad input 51",
    reads=_READS,
)
def never(cluster: Cluster) -> Findings:
    """The 30th of February is valid cron and never comes: there would be no backups and no error."""
    if cluster.backup is None or len(_fields(cluster.backup)) not in {5, 6}:
        return
    fields = _fields(cluster.backup)
    day, month = fields[-3], fields[-2]
    longest = {"2": 29, "FEB": 29, "4": 30, "APR": 30, "6": 30, "JUN": 30, "9": 30, "SEP": 30, "11": 30, "NOV": 30}
    most = max((longest.get(part, 31) for part in month.upper().split(",")), default=31)
    days = [int(part) for part in day.split(",") if part.isascii() and part.isdigit() and len(part) < 3]
    if fields[-1] == "*" and days and len(days) == len(day.split(",")) and most < min(days) <= 31:
        yield finding(_SCHEDULE, cluster.backup.schedule)


@rule(
    "PGHA-W703",
    must="leave an hour between backups",
    remedy="write it daily, such as 0 2 * * *",
    source="reliability: bad input 51; research cnpg-eso 3: thousands of Backup objects stop the operator",
    reads=_READS,
)
def too_often(cluster: Cluster) -> Findings:
    """Each backup reads every file; runs overlap, and with cloudnative-pg each leaves an object behind."""
    if cluster.backup is None or next(schedule(cluster), None) or "TZ=" in cluster.backup.schedule:
        return
    if next(never(cluster), None) is None and min(_gaps(cluster.backup.schedule), default=timedelta(1)) < timedelta(
        hours=1
    ):
        yield finding(_SCHEDULE, cluster.backup.schedule)


@rule(
    "PGHA-E704",
    must="not name a time zone",
    remedy="write it as backup.timeZone",
    source="Kubernetes: CronJob, TZ in schedule is refused; reliability: bad input 52",
    reads=_READS,
)
def zone_in_schedule(cluster: Cluster) -> Findings:
    """Kubernetes refuses a schedule that begins with TZ= or CRON_TZ=."""
    if cluster.backup and "TZ=" in cluster.backup.schedule:
        yield finding(_SCHEDULE, cluster.backup.schedule)


@rule(
    "PGHA-E705",
    must="be a time zone of the IANA database",
    remedy="write one such as Europe/Madrid or Etc/UTC",
    source="Kubernetes: CronJob timeZone; reliability: bad input 52",
    reads=_READS,
)
def time_zone(cluster: Cluster) -> Findings:
    """Kubernetes refuses a name that it does not know."""
    if cluster.backup is None or cluster.backup.time_zone in {"Etc/UTC", "UTC"}:
        return
    name = cluster.backup.time_zone
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        yield finding("backup.timeZone", name)


@rule(
    "PGHA-E706",
    must="be Etc/UTC with cloudnative-pg",
    remedy="write the schedule in UTC",
    source="CloudNativePG: ScheduledBackup runs in the operator's time zone, UTC",
    reads=_READS,
)
def operator_zone(cluster: Cluster) -> Findings:
    """A ScheduledBackup has no time zone of its own."""
    zone = cluster.backup.time_zone if cluster.backup else "UTC"
    if cluster.engine == "cloudnative-pg" and zone not in {"Etc/UTC", "UTC", "Etc/GMT", "GMT"}:
        yield finding("backup.timeZone", zone)


@rule(
    "PGHA-E707",
    must="be at least 1",
    remedy="write 7, for instance",
    source="data-model: Backup, retention period > 0; reliability: bad input 53",
    reads=["backup"],
)
def retention(cluster: Cluster) -> Findings:
    """Zero days would delete every backup as soon as it is made."""
    if cluster.backup and cluster.backup.retention_days < 1:
        yield finding("backup.retentionDays", cluster.backup.retention_days)


@rule(
    "PGHA-E708",
    must="be given for physical backups",
    remedy="add objectStore with destination and credentialsSecret, or delete backup",
    source="CloudNativePG: a Backup without a destination fails; research cnpg-eso 8, item 4",
    reads=_READS,
)
def destination_given(cluster: Cluster) -> Findings:
    """The operator would make Backup objects that fail, every night, without the cluster turning unhealthy."""
    if cluster.backup and cluster.engine == "cloudnative-pg" and cluster.backup.object_store is None:
        yield finding("backup.objectStore", None)


@rule(
    "PGHA-E710",
    must="come together",
    remedy="give both nfsServer and nfsPath, or neither",
    source="data-model: Backup, storage_location; Kubernetes: nfs volumes",
    reads=["backup"],
)
def nfs(cluster: Cluster) -> Findings:
    """An NFS volume needs the server and an absolute path on it."""
    volume = cluster.backup.volume if cluster.backup else None
    if volume is None:
        return
    if (volume.nfs_server is None) != (volume.nfs_path is None):
        key = "nfsPath" if volume.nfs_server is None else "nfsServer"
        yield finding(f"backup.volume.{key}", f"{show(volume.nfs_path or volume.nfs_server)} alone")
    elif volume.nfs_path is not None and not volume.nfs_path.startswith("/"):
        yield finding("backup.volume.nfsPath", volume.nfs_path, must="begin with /", remedy="write the absolute path")


@rule(
    "PGHA-W711",
    must="lie away from the data",
    remedy="write an NFS share, or a StorageClass that is not tied to a node",
    source="research cnpg-eso 8, item 15; reliability: bad input 54; research: Backup Storage Location",
    reads=["backup", "storage", "engine"],
)
def backup_beside_data(cluster: Cluster) -> Findings:
    """A local volume is lost with its node, and the backups with it."""
    if cluster.engine != "bitnami" or cluster.backup is None or cluster.backup.volume.nfs_server:
        return
    storage_class = cluster.backup.volume.storage_class or cluster.storage.storage_class
    if "local" in storage_class or storage_class == cluster.storage.storage_class:
        yield finding("backup.volume", f"StorageClass {storage_class}")


@rule(
    "PGHA-W712",
    must="hold every dump that is kept",
    remedy="enlarge backup.volume.size, or keep fewer days",
    source="reliability: bad input 53; data-model: Backup, retention period",
    reads=["backup", "storage", "engine"],
)
def dumps_fit(cluster: Cluster) -> Findings:
    """A full volume stops the backups, and the next one that is needed is missing.

    A compressed dump of a volume that is full takes a tenth to a half of it; this warns where there is room for less
    than a tenth. While a new dump is written, the oldest is still there.
    """
    backup = cluster.backup
    if backup is None or cluster.backup_method != "pg_dump" or backup.volume.nfs_server or backup.retention_days < 1:
        return
    room, data = quantity(backup.volume.size), quantity(cluster.storage.size)
    if not room or not data or next(schedule(cluster), None) or next(never(cluster), None):
        return
    gaps = _gaps(backup.schedule)
    days = sum(gaps, timedelta()) / len(gaps) / timedelta(days=1) if gaps else 1
    kept = math.ceil(backup.retention_days / days) + 1
    if room / kept < data / 10:
        each = f"{binary(room / kept)} for each of {kept} dumps"
        yield finding("backup.volume.size", f"{each} of a volume of {binary(data)}")
