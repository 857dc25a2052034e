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
from cdktf_cdktf_provider_kubernetes.pod_disruption_budget_v1 import (
    PodDisruptionBudgetV1,
    PodDisruptionBudgetV1Metadata,
    PodDisruptionBudgetV1Spec,
    PodDisruptionBudgetV1SpecSelector,
)
from constructs import Construct

from pgha.config.model import Backend, Cluster
from pgha.engines import engine_of
from pgha.resources.argocd_health import health
from pgha.resources.metadata import MANAGED_BY
from pgha.resources.pods import toleration
from pgha.stacks.parts import address, pin, prepare

_PRIVILEGED = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}
_INSTALL_SECONDS = 600
"""A first start pulls images; the charts' own waits end sooner."""

_OPERATOR = {"app.kubernetes.io/name": "cloudnative-pg", "app.kubernetes.io/instance": "cloudnative-pg"}
_OPERATOR_VALUES: dict[str, Any] = {
    "crds": {"create": True},
    # With one operator on the node that dies, a failover waits until it was moved: 350 s (measured).
    "replicaCount": 2,
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "nodeTaintsPolicy": "Honor",  # a node that is away counts for nothing
            "labelSelector": {"matchLabels": _OPERATOR},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ],
    # Kubernetes' own 300 s would leave one operator alone for as long.
    "tolerations": [toleration(taint, 5) for taint in ("not-ready", "unreachable")],
    # The other one takes over after 6 s without a sign, sooner than a dead node is known; stock 15 and 10.
    "additionalArgs": ["--leader-lease-duration=6", "--leader-renew-deadline=4"],
    # A standby that looks for the new primary while the Service still leads to the dead one gives up after 2 s, not 5
    # (milliseconds, internal/configuration/configuration.go); until one is there a synchronous commit waits.
    "config": {"data": {"STANDBY_TCP_USER_TIMEOUT": "2000"}},
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
}
"""Value names are chart 0.29.0's, flags those of `manager controller` 1.30.0 (internal/cmd/manager/controller)."""

_PLUGIN = {"app.kubernetes.io/name": "plugin-barman-cloud", "app.kubernetes.io/instance": "plugin-barman-cloud"}
_PLUGIN_VALUES: dict[str, Any] = {
    "crds": {"create": True},
    # While the plugin does not answer, the operator does nothing about a cluster that uses it, no failover either
    # (docs/adr/0032). Of two that elect a leader only one answers; without the election both do.
    "replicaCount": 2,
    "additionalArgs": ["--leader-elect=false"],
    "topologySpreadConstraints": [
        _OPERATOR_VALUES["topologySpreadConstraints"][0] | {"labelSelector": {"matchLabels": _PLUGIN}}
    ],
    "tolerations": _OPERATOR_VALUES["tolerations"],
}
"""Value names are chart 0.7.0's, the flag the plugin's own; the last one given counts."""


class PlatformStack(TerraformStack):
    """Operators as Helm releases of exact versions, and what Argo CD must know of them.

    MetalLB and CloudNativePG always; External Secrets, cert-manager and the Barman Cloud plugin where a cluster's
    objects are theirs.
    """

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
        operators = self._namespace("cnpg-system", {})
        operator = self._release(
            "cloudnative-pg",
            namespace=operators,
            repository="https://cloudnative-pg.github.io/charts",
            version="0.29.0",
            values=_OPERATOR_VALUES,
        )
        self._budget("cloudnative-pg", operators, _OPERATOR)
        described = list(clusters)
        self._on_request(_groups(described), operators, operator)
        argocds = {cluster.gitops.argocd_namespace for cluster in described if cluster.delivery == "argocd"}
        for argocd in sorted(argocds):
            self._health(argocd)

    def _on_request(self, groups: set[str], operators: NamespaceV1, operator: TerraformElement) -> None:
        if "external-secrets.io" in groups:
            self._release(
                "external-secrets",
                namespace=self._namespace("external-secrets", {}),
                repository="https://charts.external-secrets.io",
                version="2.9.0",
                values={"installCRDs": True},
            )
        backups = "barmancloud.cnpg.io" in groups
        if backups or "cert-manager.io" in groups:
            certificates = self._release(
                "cert-manager",
                namespace=self._namespace("cert-manager", {}),
                repository="https://charts.jetstack.io",
                version="v1.21.2",
                # Its start-up check ends the installation only when its webhook answers.
                values={"crds": {"enabled": True, "keep": True}},
            )
            if backups:
                # It lives where the operator looks for plugins, and its certificates are cert-manager's.
                self._release(
                    "plugin-barman-cloud",
                    namespace=operators,
                    repository="https://cloudnative-pg.github.io/charts",
                    version="0.7.0",
                    values=_PLUGIN_VALUES,
                    after=[operator, certificates],
                )

    def _budget(self, name: str, namespace: NamespaceV1, pods: dict[str, str]) -> None:
        """A drain takes one of the pods at a time; the chart makes no budget."""
        key = address("budget", name)
        budget = PodDisruptionBudgetV1(
            self,
            key,
            metadata=PodDisruptionBudgetV1Metadata(name=name, namespace=namespace.metadata.name),
            spec=PodDisruptionBudgetV1Spec(
                max_unavailable="1", selector=PodDisruptionBudgetV1SpecSelector(match_labels=pods)
            ),
        )
        pin(budget, key)

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
        self,
        chart: str,
        *,
        namespace: NamespaceV1,
        repository: str,
        version: str,
        values: dict[str, Any],
        after: list[TerraformElement] | None = None,
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
            timeout=_INSTALL_SECONDS,
            depends_on=after,
            # Uninstalling an operator's chart removes its definitions, and with them every cluster.
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
        )
        pin(release, key)
        return release


def _groups(clusters: list[Cluster]) -> set[str]:
    """API groups of the custom resources that the clusters consist of."""
    needed = (requirement for cluster in clusters for requirement in engine_of(cluster).requirements(cluster))
    return {requirement.api_version.partition("/")[0] for requirement in needed}
