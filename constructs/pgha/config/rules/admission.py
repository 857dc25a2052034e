"""Who may connect, from which networks, and with what kind of password."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network

from pgha.config.model import Cluster
from pgha.config.quantity import address, network, within
from pgha.config.rules.network import PRIVATE
from pgha.config.rules.registry import Findings, finding, rule
from pgha.config.text import listed


@rule(
    "PGHA-E421",
    must="be a network such as 192.168.1.0/24",
    remedy="write the network's first address and its prefix length",
    source="PostgreSQL: pg_hba.conf, address; reliability: bad input 47",
    reads=["network.networks", "network.podCidr", "network.serviceCidr"],
)
def well_formed_networks(cluster: Cluster) -> Findings:
    """With host bits set it is unclear whether one machine or its whole network is meant."""
    texts = {f"network.networks[{index}]": text for index, text in enumerate(cluster.network.networks)}
    texts |= {"network.podCidr": cluster.network.pod_cidr, "network.serviceCidr": cluster.network.service_cidr}
    for path, text in texts.items():
        if network(text) is None and not _is_ipv6(text):
            yield finding(path, text, remedy=_meant(text))
        elif _is_ipv6(text):
            yield finding(path, text, must="be an IPv4 network", remedy="pgha serves IPv4 only; leave it out")


@rule(
    "PGHA-E422",
    must="be an internal network",
    remedy="list the networks of your own clients",
    source="spec: FR-007 and Constraints; reliability: bad input 46",
    reads=["network.networks"],
)
def internal_networks(cluster: Cluster) -> Findings:
    """Whoever is listed here may try passwords. 0.0.0.0/0 is everybody, and public ranges are other people."""
    for index, text in enumerate(cluster.network.networks):
        cidr = network(text)
        if cidr and not any(cidr.subnet_of(own) for own in PRIVATE):
            yield finding(f"network.networks[{index}]", text)


@rule(
    "PGHA-E423",
    must="list who may connect",
    remedy="list the networks of your clients, or delete the key to have the private ranges",
    source="reliability: bad input 48; Kubernetes: NetworkPolicy, an empty from admits everybody",
    reads=["network.networks"],
)
def empty_networks(cluster: Cluster) -> Findings:
    """To pg_hba an empty list is nobody, to a NetworkPolicy and a LoadBalancer it is everybody."""
    if not cluster.network.networks:
        yield finding("network.networks", [])


@rule(
    "PGHA-E424",
    must="not overlap serviceCidr",
    remedy="write the ranges that Kubernetes was started with",
    source="Kubernetes: cluster CIDR and service CIDR; reliability: bad input 40",
    reads=["network.podCidr", "network.serviceCidr"],
)
def cluster_ranges(cluster: Cluster) -> Findings:
    """Kubernetes does not start with overlapping ranges, so one of the two must be wrong here."""
    pods, services = network(cluster.network.pod_cidr), network(cluster.network.service_cidr)
    if pods and services and pods.overlaps(services):
        yield finding("network.podCidr", f"{pods} over {services}")


@rule(
    "PGHA-W425",
    must="include podCidr",
    remedy="add the pod range, unless no pod is to connect",
    source="spec: FR-001, accessible from within the Kubernetes cluster",
    reads=["network.networks", "network.podCidr"],
)
def pods_admitted(cluster: Cluster) -> Findings:
    """Applications in Kubernetes connect from the pod range; if it is not listed, pg_hba rejects them."""
    pods = network(cluster.network.pod_cidr)
    admitted = [cidr for text in cluster.network.networks if (cidr := network(text))]
    if pods and admitted and not any(pods.subnet_of(cidr) for cidr in admitted):
        yield finding("network.networks", f"{listed(cluster.network.networks)} without {pods}")


@rule(
    "PGHA-W426",
    must="include the network of the LoadBalancer address",
    remedy="add that network, for example as a /24",
    source="spec: FR-002, accessible from the internal network",
    reads=["network.networks", "network.loadBalancer"],
)
def lan_admitted(cluster: Cluster) -> Findings:
    """Machines beside the address, and the nodes that answer for it, would be rejected by pg_hba."""
    balancer = cluster.network.load_balancer
    ip = address(balancer.address) if balancer else None
    admitted = tuple(cidr for text in cluster.network.networks if (cidr := network(text)))
    if ip and admitted and within(ip, PRIVATE) and not within(ip, admitted):
        yield finding("network.networks", f"{listed(cluster.network.networks)} without {ip}")


@rule(
    "PGHA-W427",
    must="be scram-sha-256",
    remedy="delete the key",
    source="PostgreSQL 18 release notes: md5 is deprecated; research cnpg-eso 8, item 5",
    reads=["network.authentication"],
)
def md5(cluster: Cluster) -> Findings:
    """An `md5` line still lets passwords stored for SCRAM use SCRAM, so it mostly misleads.

    But it also admits old MD5 hashes, and PostgreSQL will drop it.
    """
    if cluster.network.authentication == "md5":
        yield finding("network.authentication", "md5")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Network(text)
    except ValueError:
        return False
    return True


def _meant(text: str) -> str | None:
    base, _, prefix = text.partition("/")
    if address(base) is None:
        return None
    if prefix.isascii() and prefix.isdigit() and len(prefix) < 3 and int(prefix) <= 32:
        return f"did you mean {IPv4Network(f'{IPv4Address(base)}/{prefix}', strict=False)} or {base}/32?"
    return f"did you mean {base}/32?" if not prefix else None
