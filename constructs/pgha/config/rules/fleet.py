"""What relates several cluster files: names and addresses that can be used once."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pgha.config.codes import Code, register
from pgha.config.files import FOLDER
from pgha.config.model import Cluster
from pgha.config.problems import Problem
from pgha.config.quantity import overlap, spans
from pgha.config.rules.network import addresses, ranges
from pgha.config.rules.object_store import place

Files = Sequence[tuple[Path, Cluster]]
Claims = Callable[[Cluster], dict[str, str]]
"""What a cluster claims for itself alone: path in the file → value."""

_NAME = register(
    "PGHA-E901",
    must="be used by one cluster file",
    remedy="rename one of the two",
    why=(
        "Objects, stacks and the Argo CD Application are named after the cluster: two of one name would take turns "
        "undoing each other."
    ),
    source="data-model: cluster_name, unique identifier; reliability: bad input 4",
)
_NAMESPACE = register(
    "PGHA-E902",
    must="belong to one cluster file",
    remedy="give one of the two a namespace of its own",
    why="The namespace and its policies are made for one cluster; deleting one cluster would delete both.",
    source="data-model: PostgreSQL Cluster, namespace",
)
_ADDRESS = register(
    "PGHA-E903",
    must="be used by one Service",
    remedy="choose another address of the pool",
    why="MetalLB gives an address to the first Service that asks; the other waits for ever.",
    source="data-model: LoadBalancer IP must be unique across all services; reliability: bad input 41",
)
_POOLS = register(
    "PGHA-E904",
    must="not overlap another file's pool",
    remedy="keep the addresses in one pool; the other file names it with create: false",
    why="MetalLB refuses pools that share an address, and then serves neither.",
    source="MetalLB: internal/config/config.go, overlapping pools; reliability: bad input 38",
)
_POOL_NAME = register(
    "PGHA-E905",
    must="be made by one cluster file",
    remedy="write create: false in all files but one",
    why="Two stacks would own one IPAddressPool and overwrite each other's ranges.",
    source="design: no object ever has two owners",
)
_FILE = register(
    "PGHA-W906",
    must="be the file's name",
    remedy="rename the file, or the cluster before it is first applied",
    why="Commands take a cluster by its file's name, while messages and objects show its own.",
    source="design: commands",
)
_TWO_LANS = register(
    "PGHA-W907",
    must="not be used in another Kubernetes cluster of the same network",
    remedy="choose another address, or silence this in one of the files if their networks are separate",
    why=(
        "Files whose podCidr or serviceCidr differ describe different Kubernetes clusters. If both stand on one "
        "internal network, two machines would answer for the address."
    ),
    source="data-model: LoadBalancer IP Uniqueness; reliability: bad input 36",
)
_ARCHIVE = register(
    "PGHA-E908",
    must="lie apart from another cluster's backups",
    remedy="give each cluster a destination of its own",
    why=(
        "Two clusters that archive into one place, or the one inside the other's folders, delete each other's backups "
        "when retention cleans up, and neither can be restored."
    ),
    source="Barman Cloud: one server, one archive",
)
_STORE = register(
    "PGHA-E909",
    must="be made by one cluster file",
    remedy="name it otherwise, use storeKind: SecretStore, or make it yourself for all and write createStore: false",
    why="A ClusterSecretStore belongs to the whole Kubernetes cluster; two files would take turns overwriting it.",
    source="design: no object ever has two owners",
)


def between(files: Files) -> Iterator[tuple[Path, Problem]]:
    """What is wrong between these files, each with the file that it is reported for: the later one."""
    for path, cluster in files:
        if path.parent.name == FOLDER and path.stem != cluster.name and _FILE.id not in cluster.silence:
            yield path, _FILE.at("name", f"{cluster.name} in {path.name}")
    yield from _once(files, _NAME, lambda cluster: {"name": cluster.name})
    yield from _shared_archives(files)
    # Two Kubernetes clusters share neither namespaces nor address pools.
    groups: dict[tuple[str, str], list[tuple[Path, Cluster]]] = {}
    for path, cluster in files:
        groups.setdefault(_kubernetes(cluster), []).append((path, cluster))
    for group in groups.values():
        yield from _once(group, _NAMESPACE, lambda cluster: {"namespace": cluster.namespace})
        yield from _once(group, _ADDRESS, lambda cluster: dict(addresses(cluster)))
        yield from _once(group, _POOL_NAME, _own_pool)
        yield from _once(group, _STORE, _own_store)
        yield from _overlaps(group)
    yield from _shared_addresses(files)


def _kubernetes(cluster: Cluster) -> tuple[str, str]:
    """What tells one Kubernetes cluster from another."""
    return cluster.network.pod_cidr, cluster.network.service_cidr


def _once(files: Files, code: Code, claims: Claims) -> Iterator[tuple[Path, Problem]]:
    owners: dict[str, Path] = {}
    for path, cluster in files:
        for key, value in claims(cluster).items():
            owner = owners.setdefault(value, path)
            if owner != path:
                yield path, code.at(key, f"{value}, as in {owner}")


def _shared_addresses(files: Files) -> Iterator[tuple[Path, Problem]]:
    owners: dict[str, tuple[Path, Cluster]] = {}
    for path, cluster in files:
        for key, value in addresses(cluster):
            owner, other = owners.setdefault(value, (path, cluster))
            silent = _TWO_LANS.id in {*cluster.silence, *other.silence}
            if _kubernetes(cluster) != _kubernetes(other) and not silent:
                yield path, _TWO_LANS.at(key, f"{value}, as in {owner}")


def _shared_archives(files: Files) -> Iterator[tuple[Path, Problem]]:
    """Folders are DESTINATION/NAME, so with other names it takes one destination inside the other's folder."""
    known: list[tuple[Path, str]] = []
    for path, cluster in files:
        if cluster.backup is None or cluster.backup.object_store is None:
            continue
        own = place(cluster.backup.object_store, cluster.name)
        for owner, other in known:
            if own.startswith(other) or other.startswith(own):
                yield path, _ARCHIVE.at("backup.objectStore.destination", f"{own.split()[1]}, as in {owner}")
                break
        known.append((path, own))


def _own_pool(cluster: Cluster) -> dict[str, str]:
    balancer = cluster.network.load_balancer
    return {"network.loadBalancer.pool": cluster.pool_name} if balancer and balancer.pool.create else {}


def _own_store(cluster: Cluster) -> dict[str, str]:
    aws = cluster.credentials.aws_secrets_manager
    if cluster.credentials.source != "aws-secrets-manager" or aws is None or not aws.create_store:
        return {}
    return {"credentials.awsSecretsManager.store": aws.store} if aws.store_kind == "ClusterSecretStore" else {}


def _overlaps(files: Files) -> Iterator[tuple[Path, Problem]]:
    making = [(path, cluster) for path, cluster in files if _own_pool(cluster)]
    for index, (path, cluster) in enumerate(making):
        for other_path, other in making[:index]:
            if shared := overlap(spans(ranges(cluster)), spans(ranges(other))):
                got = f"{', '.join(ranges(cluster))}, which shares {shared} with {other_path}"
                yield path, _POOLS.at("network.loadBalancer.pool.addresses", got)
                break
