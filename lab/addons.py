"""What a cluster needs before a database can move in: volumes, LAN addresses and the operator.

The manifests are those that the projects ship in their Go modules, copied to the cache when the programs were built.
"""

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


def install() -> None:
    """Apply everything server-side and wait until it runs."""
    with step("install local-path storage, MetalLB and CloudNativePG") as say:
        configure_dns()
        # Both CoreDNS pods started on the first node, before there was another, and with kubeadm's Corefile.
        kubectl("rollout", "restart", "--namespace=kube-system", "deployment/coredns")
        for manifest in _MANIFESTS:
            say(manifest)
            text = programs.program(*manifest.split("/")).read_text()
            # Images are loaded, never pulled.
            text = text.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
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
