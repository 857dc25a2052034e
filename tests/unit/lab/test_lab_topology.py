from ipaddress import IPv4Address

from lab import topology


def test_nodes_have_the_addresses_that_the_documentation_names() -> None:
    assert [(node.name, str(node.address), str(node.pods)) for node in topology.nodes(3)] == [
        ("n1", "192.168.10.11", "10.244.1.0/24"),
        ("n2", "192.168.10.12", "10.244.2.0/24"),
        ("n3", "192.168.10.13", "10.244.3.0/24"),
    ]


def test_no_node_or_load_balancer_shares_an_address() -> None:
    taken = [
        topology.LAN_HOST,
        *(node.address for node in topology.nodes(topology.MAX_NODES)),
        *topology.LOAD_BALANCERS,
    ]
    assert len(set(taken)) == len(taken)
    assert all(address in topology.LAN for address in taken)


def test_loopback_form_keeps_three_octets() -> None:
    assert topology.on_loopback(IPv4Address("192.168.10.100")) == IPv4Address("127.168.10.100")
