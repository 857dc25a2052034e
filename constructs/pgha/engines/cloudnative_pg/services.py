"""How clients reach the cluster: the operator's Services, the LoadBalancer ones we add, addresses."""

from collections.abc import Sequence
from typing import Literal

from pgha.config.model import Cluster, LoadBalancer
from pgha.engines.base import Endpoint
from pgha.resources.address_pool import service_annotations
from pgha.resources.metadata import Object, labels

PORT = 5432
_DEFAULT_SERVICES: tuple[tuple[str, Literal["read-write", "read-only", "any"]], ...] = (
    ("rw", "read-write"),
    ("ro", "read-only"),
    ("r", "any"),
)


def lan_services(cluster: Cluster) -> list[tuple[str, str, Literal["rw", "ro"]]]:
    """Name, address and selector of every LoadBalancer Service. The seed's suffix is `-external`."""
    balancer = cluster.network.load_balancer
    if balancer is None:
        return []
    found: list[tuple[str, str, Literal["rw", "ro"]]] = [(f"{cluster.name}-external", balancer.address, "rw")]
    if balancer.read_only_address:
        found.append((f"{cluster.name}-external-ro", balancer.read_only_address, "ro"))
    return found


def managed_services(cluster: Cluster) -> list[Object]:
    """Entries for `managed.services.additional`: the operator points them at the right pods."""
    balancer = cluster.network.load_balancer
    if balancer is None:
        return []
    return [
        {
            "selectorType": selector,
            "serviceTemplate": {
                "metadata": {
                    "name": name,
                    "labels": labels(cluster),
                    "annotations": service_annotations(cluster, address),
                },
                "spec": _service_spec(cluster, balancer),
            },
        }
        for name, address, selector in lan_services(cluster)
    ]


def endpoints(cluster: Cluster, poolers: Sequence[str]) -> list[Endpoint]:
    """Inside first, the read-write Service first of all; then the LAN."""
    found = [
        Endpoint(role=role, vantage="cluster", host=_dns(cluster, name), port=PORT, service=name)
        for name, role in ((f"{cluster.name}-{suffix}", role) for suffix, role in _DEFAULT_SERVICES)
    ]
    found += [
        Endpoint(
            role="read-write",
            vantage="cluster",
            host=_dns(cluster, name),
            port=PORT,
            pooled=True,
            service=name,
        )
        for name in poolers
    ]
    found += [
        Endpoint(
            role="read-write" if selector == "rw" else "read-only",
            vantage="lan",
            host=address,
            port=PORT,
            service=name,
        )
        for name, address, selector in lan_services(cluster)
    ]
    return found


def _service_spec(cluster: Cluster, balancer: LoadBalancer) -> Object:
    return {
        "type": "LoadBalancer",
        # MetalLB needs no node ports, and loadBalancerSourceRanges would not guard them.
        "allocateLoadBalancerNodePorts": False,
        "externalTrafficPolicy": balancer.external_traffic_policy,
        "loadBalancerSourceRanges": list(cluster.network.networks),
    }


def _dns(cluster: Cluster, service: str) -> str:
    return f"{service}.{cluster.namespace}.svc.{cluster.network.cluster_domain}"
