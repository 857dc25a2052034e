"""What a cluster needs before a database can move in: volumes, LAN addresses and the operator.

The manifests are those that the projects ship in their Go modules, copied to the cache when the programs were built.
"""

import json

from ruamel.yaml import YAML

from lab import programs
from lab.kubernetes import configure_dns, kubectl
from lab.steps import step

_MANIFESTS = (
    "local-path-provisioner/local-path.yaml",
    "metallb/metallb.yaml",
    "cloudnative-pg/cloudnative-pg.yaml",
)
_WORKLOADS = (
    ("kube-system", "deployment/coredns"),
    ("local-path-storage", "deployment/local-path-provisioner"),
    ("metallb-system", "deployment/controller"),
    ("metallb-system", "daemonset/speaker"),
    ("cnpg-system", "deployment/cnpg-controller-manager"),
)


_OPERATOR_POD = {
    # One on each of two nodes; a dead node does not count as a place.
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "nodeTaintsPolicy": "Honor",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ],
    # It leaves a dead node at once; Kubernetes' default is 300 s.
    "tolerations": [
        {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
        for what in ("not-ready", "unreachable")
    ],
}
_LEASE = ["--leader-lease-duration=6", "--leader-renew-deadline=4"]
"""The second operator takes over after 6 s of silence, sooner than a dead node is known; stock 15 and 10."""

_PATIENCE = {"name": "STANDBY_TCP_USER_TIMEOUT", "value": "2000"}
"""How long, in milliseconds, a standby tries to reach a primary that says nothing; stock 5000."""

_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
"""The manifest's limit of a tenth of a core stops the operator just when it has much to do: 2.5 s passed between a
promotion and the label that brings the clients (measured).
"""


def published(manifest: str) -> str:
    """A manifest, by tool and file, as its makers publish it; but images are loaded here, never pulled."""
    text = programs.program(*manifest.split("/")).read_text()
    return text.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")


def _two_operators(manifests: str) -> str:
    """The manifests with CloudNativePG's operator doubled: with one, a failover waits until it was moved first."""
    documents = manifests.split("\n---\n")
    for index, document in enumerate(documents):
        if "name: cnpg-controller-manager\n" in document and "\nkind: Deployment\n" in document:
            deployment = YAML(typ="safe").load(document)
            pod = deployment["spec"]["template"]["spec"]
            pod["containers"][0]["args"] += _LEASE
            pod["containers"][0]["env"].append(_PATIENCE)
            pod["containers"][0]["resources"] = _RESOURCES
            pod |= _OPERATOR_POD
            deployment["spec"]["replicas"] = 2
            documents[index] = json.dumps(deployment)
    return "\n---\n".join(documents)


def install() -> None:
    """Apply everything server-side and wait until it runs."""
    with step("install local-path storage, MetalLB and CloudNativePG") as say:
        configure_dns()
        # Both CoreDNS pods started on the first node, before there was another, and with kubeadm's Corefile.
        kubectl("rollout", "restart", "--namespace=kube-system", "deployment/coredns")
        for manifest in _MANIFESTS:
            say(manifest)
            text = _two_operators(published(manifest))
            kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        kubectl(
            "annotate",
            "--overwrite",
            "storageclass/local-path",
            "storageclass.kubernetes.io/is-default-class=true",
        )
        for namespace, workload in _WORKLOADS:
            say(f"wait for {workload}")
            kubectl("rollout", "status", "--namespace", namespace, workload, "--timeout=180s")
