"""How clients get in: the LAN's address, the Services' names, and the policies around every pod."""

from pgha.config.model import Cluster
from pgha.engines.base import Endpoint
from pgha.engines.bitnami import chart
from pgha.resources.address_pool import service_annotations
from pgha.resources.metadata import Object, metadata
from pgha.resources.network_policy import allow, clients, policy, reach
from pgha.resources.pods import job_labels


def external(cluster: Cluster) -> list[Object]:
    """`NAME-external`, the seed's name, on the LAN; empty without a load balancer.

    A Service of our own: the chart's would open a port on every node, which loadBalancerSourceRanges does not guard.
    """
    balancer = cluster.network.load_balancer
    if balancer is None:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(
                cluster, f"{cluster.name}-external", annotations=service_annotations(cluster, balancer.address)
            ),
            "spec": {
                "type": "LoadBalancer",
                "allocateLoadBalancerNodePorts": False,
                "externalTrafficPolicy": balancer.external_traffic_policy,
                "loadBalancerSourceRanges": list(cluster.network.networks),
                "selector": chart.selector(cluster, "pgpool"),
                "ports": [{"name": "postgresql", "port": chart.PORT, "targetPort": "postgresql", "protocol": "TCP"}],
            },
        }
    ]


def endpoints(cluster: Cluster) -> list[Endpoint]:
    """Writes go through Pgpool-II alone; `NAME-postgresql` is any server, a standby as often as not."""
    tls = cluster.network.tls == "required"  # only then is there a certificate
    domain = f"{cluster.namespace}.svc.{cluster.network.cluster_domain}"
    found = [
        Endpoint(
            role="read-write",
            vantage="cluster",
            host=f"{chart.pgpool(cluster)}.{domain}",
            port=chart.PORT,
            tls=tls,
            pooled=True,
            service=chart.pgpool(cluster),
        ),
        Endpoint(
            role="any",
            vantage="cluster",
            host=f"{chart.server(cluster)}.{domain}",
            port=chart.PORT,
            tls=tls,
            service=chart.server(cluster),
        ),
    ]
    balancer = cluster.network.load_balancer
    if balancer is not None:
        found.append(
            Endpoint(
                role="read-write",
                vantage="lan",
                host=balancer.address,
                port=chart.PORT,
                tls=tls,
                pooled=True,
                service=f"{cluster.name}-external",
            )
        )
    return found


def policies(cluster: Cluster) -> list[Object]:
    """Around servers, Pgpool-II, and the jobs of ours; each pod may reach DNS and the servers, nothing else.

    With externalTrafficPolicy Cluster a LAN client arrives with a node's address, so the nodes must lie in
    `network.networks`.
    """
    own: Object = {"podSelector": {"matchLabels": chart.selector(cluster)}}
    jobs: Object = {"podSelector": {"matchLabels": job_labels(cluster)}}
    servers: Object = {"podSelector": {"matchLabels": chart.selector(cluster, "postgresql")}}
    inside, outside = clients(cluster)[:1], clients(cluster)
    to_servers = [reach([], 53, protocols=("UDP", "TCP")), reach([servers], chart.PORT)]
    rules = [allow([own, jobs], chart.PORT), allow(inside, chart.PORT)]
    if cluster.monitoring.enabled:
        rules.append(allow([{"namespaceSelector": {}}], 9187))
    return [
        policy(
            cluster,
            chart.server(cluster),
            pods=chart.selector(cluster, "postgresql"),
            ingress=rules,
            egress=to_servers,
        ),
        policy(
            cluster,
            chart.pgpool(cluster),
            pods=chart.selector(cluster, "pgpool"),
            # The proof of `pgha up` connects from the cluster's own namespace.
            ingress=[allow([{"podSelector": {}}, *outside], chart.PORT)],
            egress=to_servers,
        ),
        policy(cluster, f"{cluster.name}-jobs", pods=job_labels(cluster), ingress=[], egress=to_servers),
    ]
