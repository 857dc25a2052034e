"""NetworkPolicy: the client networks of the cluster file, enforced below PostgreSQL too."""

from ipaddress import ip_network

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, metadata


def clients(cluster: Cluster) -> list[Object]:
    """Peers that may open a database connection: the file's namespaces (or every one) and its networks.

    With namespaces named, the pods' own range is no network of clients: pg_hba must list it, and here it would let
    the pods of every other namespace in.
    """
    if cluster.network.namespaces:
        names = {
            "key": "kubernetes.io/metadata.name",
            "operator": "In",
            "values": list(cluster.network.namespaces),
        }
        pods: Object = {"namespaceSelector": {"matchExpressions": [names]}}
    else:
        pods = {"namespaceSelector": {}}
    return [pods, *_blocks(cluster)]


def _blocks(cluster: Cluster) -> list[Object]:
    networks = cluster.network.networks
    if not cluster.network.namespaces:
        return [{"ipBlock": {"cidr": network}} for network in networks]
    pods = ip_network(cluster.network.pod_cidr)
    found: list[Object] = []
    for text in networks:
        network = ip_network(text)
        if network.version != pods.version or not network.overlaps(pods):
            found.append({"ipBlock": {"cidr": text}})
        elif network.prefixlen < pods.prefixlen:
            found.append({"ipBlock": {"cidr": text, "except": [str(pods)]}})
    return found


def allow(peers: list[Object], *ports: int) -> Object:
    """One ingress rule: these peers, these TCP ports."""
    return {"from": peers, "ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def ingress_policy(cluster: Cluster, name: str, *, pods: dict[str, str], rules: list[Object]) -> Object:
    """A NetworkPolicy that admits `rules` to the pods with these labels, and nothing else."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(cluster, name),
        "spec": {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress"], "ingress": rules},
    }


def reach(peers: list[Object], *ports: int, protocols: tuple[str, ...] = ("TCP",)) -> Object:
    """One egress rule: these peers (none named: any), these ports."""
    rule: Object = {"ports": [{"port": port, "protocol": protocol} for port in ports for protocol in protocols]}
    return {"to": peers} | rule if peers else rule


def policy(cluster: Cluster, name: str, *, pods: dict[str, str], ingress: list[Object], egress: list[Object]) -> Object:
    """A NetworkPolicy for both directions; nothing but the rules gets through."""
    spec: Object = {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress", "Egress"]}
    if ingress:
        spec["ingress"] = ingress
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(cluster, name),
        "spec": spec | {"egress": egress},
    }
