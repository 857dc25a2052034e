"""MetalLB: the addresses that a cluster's Services may take on the LAN, and their announcement."""

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, metadata

NAMESPACE = "metallb-system"
"""MetalLB reads pools from its own namespace only."""


def address_pool(cluster: Cluster) -> list[Object]:
    """An IPAddressPool and the L2Advertisement without which nobody on the LAN would hear of it.

    Empty where the file asks for no load balancer or names a pool that belongs to somebody else.
    """
    balancer, name = cluster.network.load_balancer, cluster.pool_name
    if balancer is None or not balancer.pool.create:
        return []
    meta = metadata(cluster, name, namespace=NAMESPACE)
    return [
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": meta,
            "spec": {"addresses": list(balancer.pool.addresses), "autoAssign": balancer.pool.auto_assign},
        },
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "L2Advertisement",
            "metadata": metadata(cluster, name, namespace=NAMESPACE),
            "spec": {"ipAddressPools": [name]},
        },
    ]


def service_annotations(cluster: Cluster, address: str) -> dict[str, str]:
    """What a Service says to get exactly this address. The prefix is read by MetalLB 0.14.9 and later."""
    return {"metallb.io/address-pool": cluster.pool_name, "metallb.io/loadBalancerIPs": address}
