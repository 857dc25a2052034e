"""Names and addresses of the lab. They exist only inside its network namespaces, so they may be the seeds' own."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

LAN = IPv4Network("192.168.10.0/24")
LAN_HOST = IPv4Address("192.168.10.1")
"""The machine on the LAN from which people connect; it is the bridge's own namespace."""

LOAD_BALANCERS = [IPv4Address("192.168.10.100") + i for i in range(11)]
"""Addresses that the relay offers on loopback, for whatever LoadBalancer Services take them."""

PODS = IPv4Network("10.244.0.0/16")
SERVICES = IPv4Network("10.96.0.0/16")
DNS = IPv4Address("10.96.0.10")

API_PORT = 6443
POSTGRESQL_PORT = 5432
GIT_PORT = 30418
"""Port of every node on which a Git server answers, where the lab has one."""

MAX_NODES = 5


@dataclass(frozen=True)
class Node:
    """Node `index` (from 1) of the lab. The first carries the control plane, and pods like every other."""

    index: int

    @property
    def name(self) -> str:
        """Host name and Kubernetes name: `n1`, `n2` and so on."""
        return f"n{self.index}"

    @property
    def address(self) -> IPv4Address:
        """Its address on the LAN: 192.168.10.11, .12 and so on."""
        return LAN.network_address + 10 + self.index

    @property
    def pods(self) -> IPv4Network:
        """The range its pods get addresses from: 10.244.1.0/24, 10.244.2.0/24 and so on."""
        return list(PODS.subnets(new_prefix=24))[self.index]

    @property
    def namespace(self) -> str:
        """Its network namespace under /run/netns."""
        return f"lab-{self.name}"


LAN_NAMESPACE = "lab-lan"
CONTROL_PLANE = Node(1)


def nodes(count: int) -> list[Node]:
    """The first `count` nodes."""
    return [Node(index) for index in range(1, count + 1)]


def on_loopback(address: IPv4Address) -> IPv4Address:
    """Where the relay offers a LAN address on this machine: 192.168.10.100 becomes 127.168.10.100."""
    return IPv4Address(int(address) & 0x00FFFFFF | 127 << 24)
