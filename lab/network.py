"""The lab's network: a switch in a namespace of its own, a cable to each node, and nothing to the machine's own."""

from pathlib import Path

from pyroute2 import IPRoute, NetNS, netns

from lab.topology import LAN, LAN_HOST, LAN_NAMESPACE, Node

_BRIDGE = "lan"
NAMESPACES = Path("/run/netns")


def create(nodes: list[Node]) -> None:
    """Make the LAN and plug every node in; what is there already is left as it is."""
    if LAN_NAMESPACE not in existing():
        netns.create(LAN_NAMESPACE)
        with NetNS(LAN_NAMESPACE) as lan:
            _up(lan, "lo")
            lan.link("add", ifname=_BRIDGE, kind="bridge")
            lan.addr("add", index=_index(lan, _BRIDGE), address=str(LAN_HOST), prefixlen=LAN.prefixlen)
            _up(lan, _BRIDGE)
    for node in nodes:
        if node.namespace not in existing():
            _plug_in(node, nodes)


def _plug_in(node: Node, nodes: list[Node]) -> None:
    netns.create(node.namespace)
    with NetNS(LAN_NAMESPACE) as lan:
        if lan.link_lookup(ifname=node.name):  # the other end of a cable whose namespace was lost on the way
            lan.link("del", index=_index(lan, node.name))
        lan.link("add", ifname=node.name, kind="veth", peer={"ifname": "eth0", "net_ns_fd": node.namespace})
        lan.link("set", index=_index(lan, node.name), master=_index(lan, _BRIDGE))
        _up(lan, node.name)
        lan.route("replace", dst=str(node.pods), gateway=str(node.address))
    with NetNS(node.namespace) as inside:
        _up(inside, "lo")
        inside.addr("add", index=_index(inside, "eth0"), address=str(node.address), prefixlen=LAN.prefixlen)
        _up(inside, "eth0")
        inside.route("add", dst="default", gateway=str(LAN_HOST))
        for other in nodes:  # what a network plugin would do: every node knows where the others' pods are
            if other != node:
                inside.route("add", dst=str(other.pods), gateway=str(other.address))


def switch(node: Node, *, on: bool) -> None:
    """The switch's port that a node hangs on. Off, nothing leaves the node, not even its kernel's farewells."""
    with NetNS(LAN_NAMESPACE) as lan:
        lan.link("set", index=_index(lan, node.name), state="up" if on else "down")


def remove() -> None:
    """Remove every namespace of the lab, and with them all links and addresses."""
    for name in existing():
        netns.remove(name)


def existing() -> list[str]:
    """The lab's namespaces on this machine."""
    return sorted(path.name for path in NAMESPACES.glob("lab-*")) if NAMESPACES.is_dir() else []


def _up(stack: IPRoute, name: str) -> None:
    stack.link("set", index=_index(stack, name), state="up")


def _index(stack: IPRoute, name: str) -> int:
    return int(stack.link_lookup(ifname=name)[0])
