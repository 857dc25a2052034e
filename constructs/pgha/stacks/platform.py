"""The stack `platform`: the operators that our clusters need, applied first and once per Kubernetes.

It is a stack of its own because OpenTofu can plan a custom resource only once its definition is on the
server.
"""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from cdktf import TerraformElement, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_helm.provider import HelmProvider
from cdktf_cdktf_provider_helm.release import Release
from cdktf_cdktf_provider_kubernetes.config_map_v1_data import ConfigMapV1Data, ConfigMapV1DataMetadata
from cdktf_cdktf_provider_kubernetes.namespace_v1 import NamespaceV1, NamespaceV1Metadata
from constructs import Construct

from pgha.config.model import Backend, Cluster
from pgha.resources.argocd_health import health
from pgha.resources.metadata import MANAGED_BY
from pgha.stacks.parts import address, pin, prepare

_PRIVILEGED = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}


class PlatformStack(TerraformStack):
    """MetalLB and the CloudNativePG operator as Helm releases of exact versions, and what Argo CD must know of them."""

    NAME: ClassVar[str] = "platform"

    def __init__(self, scope: Construct, clusters: Iterable[Cluster] = ()) -> None:
        super().__init__(scope, self.NAME)
        prepare(self, Backend(type="local"))
        HelmProvider(self, "helm")
        # The speaker answers ARP on the node's own network: MetalLB's namespace must admit privileged pods.
        self._release(
            "metallb",
            namespace=self._namespace("metallb-system", _PRIVILEGED),
            repository="https://metallb.github.io/metallb",
            version="0.16.1",
            values={"frrk8s": {"enabled": False}},  # layer 2 only: no BGP daemon
        )
        self._release(
            "cloudnative-pg",
            namespace=self._namespace("cnpg-system", {}),
            repository="https://cloudnative-pg.github.io/charts",
            version="0.29.0",
            values={"crds": {"create": True}},
        )
        argocds = {cluster.gitops.argocd_namespace for cluster in clusters if cluster.delivery == "argocd"}
        for namespace in sorted(argocds):
            self._health(namespace)

    def _namespace(self, name: str, labels: dict[str, str]) -> NamespaceV1:
        meta = NamespaceV1Metadata(name=name, labels={"app.kubernetes.io/managed-by": MANAGED_BY} | labels)
        lifecycle = TerraformResourceLifecycle(prevent_destroy=True)
        key = address("namespace", name)
        namespace = NamespaceV1(self, key, metadata=meta, lifecycle=lifecycle)
        pin(namespace, key)
        return namespace

    def _health(self, namespace: str) -> None:
        """Our keys of Argo CD's ConfigMap, beside those of whoever installed it."""
        rules = health(namespace)
        key = address("argocd_health", namespace)
        data = ConfigMapV1Data(
            self,
            key,
            metadata=ConfigMapV1DataMetadata(name=rules["metadata"]["name"], namespace=namespace),
            data=rules["data"],
            field_manager="pgha",
            force=True,
        )
        pin(data, key)

    def _release(
        self, chart: str, *, namespace: NamespaceV1, repository: str, version: str, values: dict[str, Any]
    ) -> TerraformElement:
        key = address(chart)
        release = Release(
            self,
            key,
            name=chart,
            chart=chart,
            repository=repository,
            version=version,
            namespace=namespace.metadata.name,
            values=[json.dumps(values, sort_keys=True)],  # JSON is YAML that can be written in one way only
            atomic=True,
            # Uninstalling an operator's chart removes its definitions, and with them every cluster.
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
        )
        pin(release, key)
        return release
