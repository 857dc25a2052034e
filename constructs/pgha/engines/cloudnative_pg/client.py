"""Pods of ours that speak to the primary with psql, from the server's own image: it is on every node already."""

from pgha.config.model import Cluster
from pgha.engines.cloudnative_pg.images import image
from pgha.resources.metadata import Object
from pgha.resources.pods import RESTRICTED_CONTAINER, RESTRICTED_POD, small, toleration

_CA = "/tls/ca"
CERTIFICATE = "/tls/client"
"""Where a client certificate is mounted, if there is one."""

BRIEFLY = [toleration(taint, 30) for taint in ("not-ready", "unreachable")]
"""How long a pod that keeps nothing stays with a node that is away."""


def client_pod(
    cluster: Cluster,
    *,
    labels: dict[str, str],
    script: str,
    environment: list[Object],
    certificate: str | None = None,
) -> Object:
    """A pod template that runs a shell script; the server must prove by the cluster's authority that it is ours.

    `certificate` names a Secret of type kubernetes.io/tls by which the client proves itself.
    """
    # Of the authority's Secret the certificate alone: its key stays where it is.
    authority = {"secretName": f"{cluster.name}-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    volumes: list[Object] = [{"name": "ca", "secret": authority}]
    mounts: list[Object] = [{"name": "ca", "mountPath": _CA, "readOnly": True}]
    variables: list[Object] = [
        {"name": "PGHOST", "value": f"{cluster.name}-rw.{cluster.namespace}.svc"},
        {"name": "PGSSLMODE", "value": "verify-full"},
        {"name": "PGSSLROOTCERT", "value": f"{_CA}/ca.crt"},
    ]
    if certificate:
        volumes.append({"name": "certificate", "secret": {"secretName": certificate, "defaultMode": 0o440}})
        mounts.append({"name": "certificate", "mountPath": CERTIFICATE, "readOnly": True})
        variables += [
            {"name": "PGSSLCERT", "value": f"{CERTIFICATE}/tls.crt"},
            {"name": "PGSSLKEY", "value": f"{CERTIFICATE}/tls.key"},
        ]
    container: Object = {
        "name": "psql",
        "image": image(cluster),
        "command": ["/bin/sh", "-c", script],
        "env": [*variables, *environment],
        "securityContext": dict(RESTRICTED_CONTAINER),
        "resources": small(),
        "volumeMounts": mounts,
    }
    return {
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": dict(RESTRICTED_POD),
            "tolerations": [dict(toleration) for toleration in BRIEFLY],
            "containers": [container],
            "volumes": volumes,
        },
    }
