"""cert-manager: a certificate authority of the cluster's own, and the servers' certificate."""

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, metadata

_API = "cert-manager.io/v1"


def certificates(cluster: Cluster, names: list[str]) -> list[Object]:
    """The Secret `NAME-tls` (tls.crt, tls.key, ca.crt), renewed by cert-manager; clients trust its ca.crt."""
    authority = f"{cluster.name}-ca"
    balancer = cluster.network.load_balancer
    return [
        _object(cluster, "Issuer", f"{cluster.name}-selfsigned", {"selfSigned": {}}),
        _object(
            cluster,
            "Certificate",
            authority,
            {
                "isCA": True,
                "commonName": authority,
                "secretName": authority,
                "duration": "87600h",
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": {"kind": "Issuer", "name": f"{cluster.name}-selfsigned"},
            },
        ),
        _object(cluster, "Issuer", authority, {"ca": {"secretName": authority}}),
        _object(
            cluster,
            "Certificate",
            f"{cluster.name}-tls",
            {
                "secretName": f"{cluster.name}-tls",
                "duration": "8760h",
                "renewBefore": "720h",
                "dnsNames": names,
                "issuerRef": {"kind": "Issuer", "name": authority},
            }
            | ({"ipAddresses": [balancer.address]} if balancer else {}),
        ),
    ]


def _object(cluster: Cluster, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": _API, "kind": kind, "metadata": metadata(cluster, name), "spec": spec}
