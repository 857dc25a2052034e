"""Addresses, ranges, and who may connect."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from pgha.config.model import Cluster
from pgha.config.quantity import address, network, overlap, span, spans, within
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import listed

_BALANCER = "network.loadBalancer"
_RANGES = f"{_BALANCER}.pool.addresses"
PRIVATE = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*\Z"
)
_NODES = 256
"""A range this small or smaller has a network and a broadcast address that somebody may use as such."""


def addresses(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Path and text of every LoadBalancer address that the file asks for."""
    balancer = cluster.network.load_balancer
    if balancer:
        yield f"{_BALANCER}.address", balancer.address
        if balancer.read_only_address is not None:
            yield f"{_BALANCER}.readOnlyAddress", balancer.read_only_address


def ranges(cluster: Cluster) -> list[str]:
    """The ranges of the file's pool, as written."""
    return list(cluster.network.load_balancer.pool.addresses) if cluster.network.load_balancer else []


@rule(
    "PGHA-E401",
    must="be 5432",
    remedy="write 5432, or delete the key",
    source="data-model: Connection Endpoint, port must be 5432; Port Consistency",
    reads=["network.port"],
)
def port(cluster: Cluster) -> Findings:
    """Clients, firewalls and the operator's own Services count on PostgreSQL's port."""
    if cluster.network.port != 5432:
        yield finding("network.port", cluster.network.port)


@rule(
    "PGHA-E402",
    must="be an IPv4 address",
    remedy="write one such as 192.168.10.100",
    source="data-model: Connection Endpoint, ip_address; reliability: bad input 39",
    reads=["network.loadBalancer"],
)
def well_formed_address(cluster: Cluster) -> Findings:
    """The address is given to MetalLB as it stands."""
    for path, text in addresses(cluster):
        if address(text) is None:
            yield finding(path, text)


@rule(
    "PGHA-E403",
    must="lie in the pool",
    remedy="choose an address in the pool, or widen the pool",
    source="data-model: LoadBalancer ip_address must be from MetalLB IP pool; reliability: bad input 35",
    reads=["network.loadBalancer"],
)
def address_in_pool(cluster: Cluster) -> Findings:
    """MetalLB leaves a Service without an address when the one it asks for is in no pool."""
    pool = spans(ranges(cluster))
    for path, text in addresses(cluster):
        ip = address(text)
        if ip and pool and not within(ip, pool):
            yield finding(path, text, must=f"lie in the pool {listed(ranges(cluster))}")


@rule(
    "PGHA-E404",
    must="be a range first-last or a network such as 192.168.10.96/28",
    remedy="write the lower address first, and a network without host bits",
    source="MetalLB: internal/config/config.go, bad CIDR or range; reliability: bad input 39",
    reads=["network.loadBalancer"],
)
def well_formed_range(cluster: Cluster) -> Findings:
    """MetalLB refuses the pool, and the Service waits for an address that never comes."""
    if cluster.network.load_balancer and not ranges(cluster):
        yield finding(_RANGES, [], must="hold a range")
    for index, text in enumerate(ranges(cluster)):
        if span(text) is None:
            yield finding(f"{_RANGES}[{index}]", text)


@rule(
    "PGHA-E405",
    must="not overlap another range",
    remedy="keep the addresses in one of them",
    source="MetalLB: internal/config/config.go, overlapping pools; reliability: bad input 38",
    reads=["network.loadBalancer"],
)
def ranges_overlap(cluster: Cluster) -> Findings:
    """MetalLB refuses a pool that holds an address twice."""
    texts = ranges(cluster)
    for index, text in enumerate(texts):
        for other in texts[:index]:
            if shared := overlap(span(text) or (), span(other) or ()):
                yield finding(f"{_RANGES}[{index}]", f"{text}, which shares {shared} with {other}")


@rule(
    "PGHA-E406",
    must="not overlap the pod or Service range",
    remedy="choose addresses of the internal network, or correct podCidr and serviceCidr",
    source="reliability: bad input 40; k3s: default CIDRs 10.42.0.0/16 and 10.43.0.0/16",
    reads=["network.loadBalancer", "network.podCidr", "network.serviceCidr"],
)
def pool_in_cluster_range(cluster: Cluster) -> Findings:
    """Traffic for such an address is routed inside Kubernetes and never reaches the internal network."""
    for index, text in enumerate(ranges(cluster)):
        for key, cidr in (("podCidr", cluster.network.pod_cidr), ("serviceCidr", cluster.network.service_cidr)):
            own = network(cidr)
            if own and overlap(span(text) or (), (own,)):
                yield finding(f"{_RANGES}[{index}]", f"{text} inside {key} {cidr}")


@rule(
    "PGHA-W407",
    must="leave out network and broadcast addresses",
    remedy="begin at .2 and end at .254",
    source="MetalLB: avoidBuggyIPs, issues 364 and 772; reliability: bad input 37",
    reads=["network.loadBalancer"],
)
def buggy_addresses(cluster: Cluster) -> Findings:
    """Some devices drop traffic for addresses that end in .0 or .255, and .0 is a /24's own name."""
    for index, text in enumerate(ranges(cluster)):
        parts = span(text) or ()
        ends = {int(part[0]) & 255 for part in parts} | {int(part[-1]) & 255 for part in parts}
        large = any(part.num_addresses >= _NODES for part in parts)
        if large or ends & {0, 255}:
            yield finding(f"{_RANGES}[{index}]", text)


@rule(
    "PGHA-E408",
    must="differ from address",
    remedy="choose a second address of the pool",
    source="data-model: LoadBalancer IP Uniqueness",
    reads=["network.loadBalancer"],
)
def two_addresses(cluster: Cluster) -> Findings:
    """One address is one Service; the second would wait for ever."""
    balancer = cluster.network.load_balancer
    if balancer and balancer.read_only_address == balancer.address:
        yield finding(f"{_BALANCER}.readOnlyAddress", balancer.read_only_address)


@rule(
    "PGHA-E409",
    must="be an address of an internal network",
    remedy="choose one from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
    source="spec: Constraints, no public internet access; data-model: Network Isolation",
    reads=["network.loadBalancer"],
)
def internal_address(cluster: Cluster) -> Findings:
    """A database must not be reachable from the internet."""
    for path, text in addresses(cluster):
        ip = address(text)
        if ip and not within(ip, PRIVATE):
            yield finding(path, text)


@rule(
    "PGHA-E410",
    must="be given for a pool that exists already",
    remedy="name the existing pool, or write create: true",
    source="MetalLB: annotation address-pool",
    reads=["network.loadBalancer"],
)
def name_of_existing_pool(cluster: Cluster) -> Findings:
    """With `create: false` the Service asks for somebody else's pool, which is hardly named after this cluster."""
    balancer = cluster.network.load_balancer
    if balancer and not balancer.pool.create and not balancer.pool.name:
        yield finding(f"{_BALANCER}.pool.name", None)


@rule(
    "PGHA-E411",
    must="be a DNS name in lower case",
    remedy="write one such as postgres.homelab.local",
    source="data-model: Connection Endpoint, dns_name must follow Kubernetes DNS convention",
    reads=["network.loadBalancer", "network.clusterDomain"],
)
def host_names(cluster: Cluster) -> Findings:
    """The name goes into certificates and into the addresses of Services."""
    balancer = cluster.network.load_balancer
    if balancer and balancer.hostname is not None and not _HOST.match(balancer.hostname):
        yield finding(f"{_BALANCER}.hostname", balancer.hostname)
    if not _HOST.match(cluster.network.cluster_domain):
        yield finding("network.clusterDomain", cluster.network.cluster_domain, remedy="write cluster.local")


@rule(
    "PGHA-W412",
    must="be Cluster for the address to outlive a failover unmoved",
    remedy="write Cluster, or silence this if pg_hba must see the clients' own addresses",
    source="MetalLB: concepts, layer2, Local; reliability: bad input 45",
    reads=["network.loadBalancer"],
)
def local_policy(cluster: Cluster) -> Findings:
    """With Local only a node that runs the primary answers for the address.

    A failover then also moves the address to another node, and clients wait for both.
    """
    balancer = cluster.network.load_balancer
    if balancer and balancer.external_traffic_policy == "Local":
        yield finding(f"{_BALANCER}.externalTrafficPolicy", balancer.external_traffic_policy)


@rule(
    "PGHA-W413",
    must="leave out the gateway",
    remedy="begin at .2, or silence this if the network's gateway has another address",
    source="reliability: bad input 37; MetalLB: layer 2 answers for every address of the pool that a Service has",
    reads=["network.loadBalancer"],
)
def gateway_in_pool(cluster: Cluster) -> Findings:
    """Most networks have their router at .1.

    A Service that is given this address answers in the router's place, and the whole network loses its way out.
    """
    for index, text in enumerate(ranges(cluster)):
        for part in span(text) or ():
            first = int(part[0])
            gateway = first + (1 - first) % _NODES
            if gateway <= int(part[-1]):
                yield finding(f"{_RANGES}[{index}]", f"{text}, which holds {IPv4Address(gateway)}")
                break
