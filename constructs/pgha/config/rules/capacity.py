"""Memory, disk and connections: whether the numbers of one file fit into each other."""

import re
from collections.abc import Iterator
from decimal import Decimal

from pgha.config.model import Cluster
from pgha.config.parameters import parameters
from pgha.config.pgpool import pgpool
from pgha.config.quantity import GIB, MIB, binary, quantity
from pgha.config.rules.registry import Findings, finding, rule

_READS = ["resources", "storage", "backup", "postgresql", "engine"]
_LEAST = 10 * GIB
_RESERVED = 10
"""Connections of repmgrd, the exporter, health checks or the operator (research bitnami-metallb-argocd 2.5)."""


def _quantities(cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    """Path, text and kind (`cpu`, `memory`, `disk`) of every quantity in the file or its defaults."""
    for part in ("requests", "limits"):
        amounts = getattr(cluster.resources, part)
        if amounts.cpu is not None:
            yield f"resources.{part}.cpu", amounts.cpu, "cpu"
        if amounts.memory is not None:
            yield f"resources.{part}.memory", amounts.memory, "memory"
    yield "storage.size", cluster.storage.size, "disk"
    if cluster.storage.wal_size is not None:
        yield "storage.walSize", cluster.storage.wal_size, "disk"
    if cluster.backup and cluster.backup_method == "pg_dump":
        yield "backup.volume.size", cluster.backup.volume.size, "disk"


def _bytes(cluster: Cluster, name: str) -> Decimal:
    """A memory parameter in bytes: the file's, or PostgreSQL's own default; 0 where it cannot be read."""
    facts = parameters(cluster.postgresql.version).get(name)
    text = cluster.postgresql.settings.get(name, facts.default if facts else "")
    return (facts.bytes(text) if facts else None) or Decimal(0)


def _count(cluster: Cluster, name: str) -> int:
    facts = parameters(cluster.postgresql.version).get(name)
    text = cluster.postgresql.settings.get(name, facts.default if facts else "")
    number = facts.amount(text) if facts and not facts.fault(text) else None
    return int(number or 0)


@rule(
    "PGHA-E601",
    must="be a Kubernetes quantity",
    remedy="write a number and Ki, Mi or Gi, such as 50Gi; for CPU a number or 500m",
    source="Kubernetes: resource quantities; reliability: bad inputs 27 and 28",
    reads=_READS,
)
def well_formed(cluster: Cluster) -> Findings:
    """Kubernetes refuses the object, or takes 512m of memory for half a byte."""
    for path, text, kind in _quantities(cluster):
        number = quantity(text)
        if number is None:
            yield finding(path, text, remedy=_meant(text))
        elif kind != "cpu" and number < MIB:
            guess = re.sub(r"m\Z|M\Z|\Z", "Mi", text, count=1)
            yield finding(path, text, must="be at least 1Mi", remedy=f"did you mean {guess}? m means a thousandth")
        elif kind == "cpu" and not Decimal("0.001") <= number <= 1024:
            yield finding(path, text, must="lie between 1m and 1024", remedy="write cores, such as 2 or 500m")


@rule(
    "PGHA-E602",
    must="be at least 10Gi",
    remedy="write 10Gi or more",
    source="data-model: Persistent Storage, capacity must be >= 10Gi",
    reads=["storage"],
)
def least_storage(cluster: Cluster) -> Findings:
    """Write-ahead log, temporary files and a standby's clone need room beside the data."""
    size = quantity(cluster.storage.size)
    if size is not None and MIB <= size < _LEAST:
        yield finding("storage.size", cluster.storage.size)


@rule(
    "PGHA-E603",
    must="be ReadWriteOnce",
    remedy="delete the key",
    source="data-model: Persistent Storage, access_mode must be ReadWriteOnce; reliability: bad input 33",
    reads=["storage.accessMode"],
)
def access_mode(cluster: Cluster) -> Findings:
    """Two servers on one data directory destroy it."""
    if cluster.storage.access_mode != "ReadWriteOnce":
        yield finding("storage.accessMode", cluster.storage.access_mode)


@rule(
    "PGHA-W604",
    must="have a binary unit",
    remedy="write Gi or Mi",
    source="Kubernetes: resource quantities; reliability: bad input 27",
    reads=_READS,
)
def decimal_unit(cluster: Cluster) -> Findings:
    """50G is 7 % less than 50Gi; volumes and memory are counted in powers of two everywhere else."""
    for path, text, kind in _quantities(cluster):
        if kind != "cpu" and re.search(r"[0-9][kMGTPE]\Z", text):
            yield finding(path, text)


@rule(
    "PGHA-E605",
    must="not exceed its limit",
    remedy="lower the request, or raise the limit",
    source="CloudNativePG webhook: resources; Kubernetes: requests and limits; reliability: bad input 29",
    reads=["resources"],
)
def requests_within_limits(cluster: Cluster) -> Findings:
    """Kubernetes refuses a pod that asks for more than it may use."""
    for kind in ("cpu", "memory"):
        asked, limit = getattr(cluster.resources.requests, kind), getattr(cluster.resources.limits, kind)
        one, other = quantity(asked), quantity(limit)
        if one is not None and other is not None and one > other:
            yield finding(f"resources.requests.{kind}", f"{asked} over {limit}")


@rule(
    "PGHA-E606",
    must="fit into the memory request",
    remedy="lower shared_buffers to a quarter of the memory, or raise resources.requests.memory",
    source="CloudNativePG webhook: shared_buffers; reliability: bad input 29",
    reads=["postgresql", "resources"],
)
def shared_buffers(cluster: Cluster) -> Findings:
    """PostgreSQL allocates it at once; with more than the pod is promised it does not start, or is ended later."""
    memory = quantity(cluster.resources.requests.memory) or quantity(cluster.resources.limits.memory)
    buffers = _bytes(cluster, "shared_buffers")
    if memory is not None and memory >= MIB and buffers > memory:
        given = cluster.postgresql.settings.get("shared_buffers", binary(buffers))
        path = "postgresql.parameters.shared_buffers"
        if "shared_buffers" not in cluster.postgresql.settings:
            path = "resources.requests.memory"
        yield finding(path, f"shared_buffers {given} in {binary(memory)}")


@rule(
    "PGHA-W607",
    must="fit into the memory limit",
    remedy="lower max_connections or work_mem, use a pooler, or raise resources.limits.memory",
    source="PostgreSQL: work_mem; reliability: bad input 30",
    reads=["postgresql", "resources"],
)
def worst_case_memory(cluster: Cluster) -> Findings:
    """Every connection may use work_mem, some queries several times.

    If all do at once, the kernel ends the server and every session with it.
    """
    limit = quantity(cluster.resources.limits.memory)
    connections, work = _count(cluster, "max_connections"), _bytes(cluster, "work_mem")
    total = _bytes(cluster, "shared_buffers") + connections * work
    if limit is not None and limit >= MIB and total > limit:
        sum_ = f"{connections} x {binary(work)} work_mem + shared_buffers = {binary(total)}"
        yield finding("resources.limits.memory", f"{binary(limit)} for {sum_}")


@rule(
    "PGHA-W608",
    must="fit into the memory limit",
    remedy="write about three quarters of the memory",
    source="PostgreSQL: effective_cache_size",
    reads=["postgresql", "resources"],
)
def effective_cache_size(cluster: Cluster) -> Findings:
    """The planner would count on a cache that the pod can never have, and choose index scans that read from disk."""
    limit = quantity(cluster.resources.limits.memory)
    if "effective_cache_size" in cluster.postgresql.settings and limit is not None:
        size = _bytes(cluster, "effective_cache_size")
        if size > limit >= MIB:
            yield finding("postgresql.parameters.effective_cache_size", f"{binary(size)} of {binary(limit)}")


@rule(
    "PGHA-E609",
    must="be smaller than its volume",
    remedy="lower it, or enlarge the volume",
    source="CloudNativePG webhook: min_wal_size < max_wal_size < walStorage; reliability: bad input 26",
    reads=["postgresql", "storage"],
)
def wal_volume(cluster: Cluster) -> Findings:
    """A full volume stops the server. max_wal_size is a soft limit that is passed under load."""
    key, text = ("walSize", cluster.storage.wal_size) if cluster.storage.wal_size else ("size", cluster.storage.size)
    volume, most, least = quantity(text), _bytes(cluster, "max_wal_size"), _bytes(cluster, "min_wal_size")
    if volume is not None and volume >= MIB and most >= volume:
        given = "max_wal_size" in cluster.postgresql.settings
        path = "postgresql.parameters.max_wal_size" if given else f"storage.{key}"
        yield finding(path, f"max_wal_size {binary(most)} on {text}")
    if least and most and least >= most:
        name = "min_wal_size" if "min_wal_size" in cluster.postgresql.settings else "max_wal_size"
        yield finding(
            f"postgresql.parameters.{name}",
            f"min_wal_size {binary(least)} and max_wal_size {binary(most)}",
            must="leave min_wal_size below max_wal_size",
        )


@rule(
    "PGHA-E610",
    must="leave room for every pooled connection",
    remedy="raise postgresql.parameters.max_connections, or lower pooler.instances, poolSize or, with bitnami, "
    "maxClientConnections",
    source="research cnpg-eso 8, item 19; research bitnami-metallb-argocd 2.5; reliability: bad input 31",
    reads=["postgresql", "pooler", "users", "databases", "engine"],
)
def pooled_connections(cluster: Cluster) -> Findings:
    """PgBouncer opens poolSize connections per user, database and pod; Pgpool-II keeps max_pool per child and pod.

    If they add up to more than max_connections less the reserved ones, clients fail under load, not before. The chart
    always runs Pgpool-II, also without `pooler`; where the file leaves max_connections out, it gets what is needed.
    """
    pooler = cluster.pooler
    given = "max_connections" in cluster.postgresql.settings
    if (not given) if cluster.engine == "bitnami" else pooler is None:
        return
    spare = _count(cluster, "superuser_reserved_connections") + _count(cluster, "reserved_connections") + _RESERVED
    room = _count(cluster, "max_connections") - spare
    if cluster.engine == "bitnami":
        size = pgpool(pooler)
        needed = size.pods * size.children * size.pool
        sum_ = f"{size.pods} pods x {size.children} children x {size.pool}"
    elif pooler is not None:
        pairs = {(database.owner, database.name) for database in cluster.databases}
        pairs |= {(user.name, name) for user in cluster.users for name in user.databases}
        own = sum(1 for _, name in pairs if name in pooler.per_application)
        pools = len(pairs) + own
        needed = pooler.instances * pooler.pool_size * pools
        sum_ = f"{pooler.instances} pods x {pooler.pool_size} x {pools} pairs of user and database"
    if needed > room and room + spare > 0:
        path = "pooler" if pooler else "postgresql.parameters.max_connections"
        yield finding(path, f"{sum_} = {needed} of {max(room, 0)}")


@rule(
    "PGHA-W611",
    must="allow 100 clients beside the reserved connections",
    remedy="write 110 or more",
    source="spec: SC-003, at least 100 concurrent database connections",
    reads=["postgresql", "pooler"],
)
def hundred_clients(cluster: Cluster) -> Findings:
    """Three connections are kept for superusers, so max_connections 100 lets 97 clients in."""
    if "max_connections" not in cluster.postgresql.settings or cluster.pooler or cluster.engine == "bitnami":
        return
    most = _count(cluster, "max_connections")
    room = most - _count(cluster, "superuser_reserved_connections") - _count(cluster, "reserved_connections")
    if most > 0 and room < 100:
        yield finding("postgresql.parameters.max_connections", f"{most} for {room} clients")


@rule(
    "PGHA-W612",
    must="be a local or block volume",
    remedy="use a StorageClass of local disks, such as local-path",
    source="research cnpg-eso 8, item 18; reliability: bad input 34; data-model: Storage Isolation",
    reads=["storage.storageClass"],
)
def network_file_system(cluster: Cluster) -> Findings:
    """On NFS a lost lock or an fsync that lies corrupts data.

    One NFS server is also the single point of failure of every instance.
    """
    if "nfs" in cluster.storage.storage_class.lower():
        yield finding("storage.storageClass", cluster.storage.storage_class)


@rule(
    "PGHA-E613",
    must="name a StorageClass",
    remedy="write local-path, or the name of another StorageClass",
    source="Kubernetes: storageClassName, '' disables dynamic provisioning; reliability: bad input 32",
    reads=["storage.storageClass", "backup"],
)
def storage_class(cluster: Cluster) -> Findings:
    """An empty name means a volume that somebody makes by hand; the pods would wait for it."""
    names = {"storage.storageClass": cluster.storage.storage_class}
    if cluster.backup and cluster.backup.volume.storage_class is not None:
        names["backup.volume.storageClass"] = cluster.backup.volume.storage_class
    for path, name in names.items():
        if not re.match(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\Z", name):
            yield finding(path, name)


def _meant(text: str) -> str | None:
    match = re.match(r"\s*(\d+(?:\.\d+)?)\s*([KkMGTP])(?:i?[Bb]|i|)\s*\Z", text, re.ASCII)
    return f"did you mean {match[1]}{match[2].upper()}i?" if match else None
