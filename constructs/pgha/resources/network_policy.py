"""NetworkPolicy: the client networks of the cluster file, enforced below PostgreSQL too."""

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, metadata


def clients(cluster: Cluster) -> list[Object]:
    """Peers that may open a database connection: the file's namespaces (or every one) and its networks."""
    if cluster.network.namespaces:
        names = {
            "key": "kubernetes.io/metadata.name",
            "operator": "In",
            "values": list(cluster.network.namespaces),
        }
        pods: Object = {"namespaceSelector": {"matchExpressions": [names]}}
    else:
        pods = {"namespaceSelector": {}}
    return [pods, *({"ipBlock": {"cidr": network}} for network in cluster.network.networks)]


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
