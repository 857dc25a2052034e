"""The stack of one cluster: its Namespace, its Secrets, and every object that the stack owns."""

import json
from collections.abc import Mapping
from typing import Any

from cdktf import TerraformElement, TerraformOutput, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_helm.provider import HelmProvider
from cdktf_cdktf_provider_helm.release import Release as HelmRelease
from cdktf_cdktf_provider_kubernetes.manifest import (
    Manifest,
    ManifestFieldManager,
    ManifestTimeouts,
    ManifestWait,
    ManifestWaitCondition,
)
from cdktf_cdktf_provider_kubernetes.namespace_v1 import NamespaceV1, NamespaceV1Metadata
from cdktf_cdktf_provider_kubernetes.secret_v1 import SecretV1, SecretV1Metadata
from constructs import Construct

from pgha.config.model import Cluster
from pgha.engines import Plan, engine_of, plan
from pgha.engines.base import Release, Traits
from pgha.resources.credentials import PASSWORD_LENGTH, GeneratedSecret
from pgha.resources.metadata import Object, describe
from pgha.stacks.parts import address, ephemeral, pin, prepare, require_random

_ALWAYS_DEFAULTED = (
    "metadata.annotations",
    "metadata.labels",
)  # the provider's own default, which ours replaces
_READY_TIMEOUT = "20m"
_GONE_TIMEOUT = "2m"
_RELEASE_SECONDS = 1200
"""A first start pulls images and clones a standby; a rolling restart waits for each server to follow again."""
_RELEASES_KEPT = 10
_OURS = ManifestFieldManager(name="pgha", force_conflicts=True)
"""The cluster file is the truth: a field that somebody set by hand is taken back, as the server-side way does too."""


class ClusterStack(TerraformStack):
    """Everything that `tofu apply` owns of one cluster.

    Its id is the cluster's name, and so is its state's.
    """

    def __init__(self, scope: Construct, cluster: Cluster) -> None:
        super().__init__(scope, cluster.name)
        prepare(self, cluster.backend)
        planned, engine = plan(cluster), engine_of(cluster)
        first, *rest = planned.stack
        last: TerraformElement = self._namespace(first)
        secrets = [self._secret(secret, last) for secret in planned.secrets]
        if planned.secrets:
            require_random(self)
        before: list[TerraformElement] = [last, *secrets]
        earlier: list[TerraformElement] = []
        chart = planned.release if cluster.delivery == "tofu" else None
        for obj in rest:
            if chart is not None and engine.traits(obj).wave > 0:
                before = [*before, self._release(cluster, chart, [*before, *earlier])]
                chart = None
            manifest = self._manifest(obj, engine.traits(obj), before)
            earlier.append(manifest)
            # What holds data waits for all before it, and what comes after it (a Database) waits for it.
            if _waited_for(engine.traits(obj)):
                before = [*before, manifest]
        self._outputs(cluster, planned.secrets)
        self._let_go(cluster, planned)

    def _namespace(self, obj: Object) -> NamespaceV1:
        meta = NamespaceV1Metadata(name=obj["metadata"]["name"], labels=obj["metadata"]["labels"])
        lifecycle = TerraformResourceLifecycle(prevent_destroy=True)
        namespace = NamespaceV1(self, "namespace", metadata=meta, lifecycle=lifecycle)
        pin(namespace, "namespace")
        return namespace

    def _secret(self, secret: GeneratedSecret, namespace: TerraformElement) -> SecretV1:
        name = address("secret", secret.name)
        passwords: dict[str, str] = {}
        for key in secret.passwords:
            source = name if secret.passwords == ("password",) else address(name, key)
            ephemeral(self, "random_password", source, {"length": PASSWORD_LENGTH, "special": False})
            passwords[key] = f"${{ephemeral.random_password.{source}.result}}"
        resource = SecretV1(
            self,
            name,
            metadata=SecretV1Metadata(
                name=secret.name,
                namespace=secret.namespace,
                labels=secret.labels,
                annotations=secret.annotations,
            ),
            type=secret.type,
            data_wo=secret.data | passwords,
            data_wo_revision=secret.revision,
            depends_on=[namespace],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
        )
        pin(resource, name)
        return resource

    def _manifest(self, obj: Object, traits: Traits, depends_on: list[TerraformElement]) -> Manifest:
        name = address(obj["kind"], obj["metadata"]["name"])
        manifest = Manifest(
            self,
            name,
            manifest=_escaped(obj),
            field_manager=_OURS,
            depends_on=depends_on,
            computed_fields=[*_ALWAYS_DEFAULTED, *traits.defaulted] if traits.defaulted else None,
            wait=_wait(traits) if _waited_for(traits) else None,
            timeouts=_timeouts(traits),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True) if traits.holds_data else None,
        )
        pin(manifest, name)
        return manifest

    def _release(self, cluster: Cluster, chart: Release, depends_on: list[TerraformElement]) -> HelmRelease:
        """The chart; an upgrade that fails is rolled back, and the volumes stay whatever becomes of it."""
        HelmProvider(self, "helm")
        name = address("release", chart.name)
        release = HelmRelease(
            self,
            name,
            name=chart.name,
            chart=chart.chart,
            repository=chart.repository,
            version=chart.version,
            namespace=cluster.namespace,
            values=[json.dumps(_escaped(chart.values), sort_keys=True)],  # JSON is YAML of one spelling
            atomic=True,
            timeout=_RELEASE_SECONDS,
            max_history=_RELEASES_KEPT,
            depends_on=depends_on,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
        )
        pin(release, name)
        return release

    def _outputs(self, cluster: Cluster, secrets: list[GeneratedSecret]) -> None:
        endpoints = [
            {
                "role": end.role,
                "vantage": end.vantage,
                "host": end.host,
                "port": end.port,
                "pooled": end.pooled,
            }
            for end in engine_of(cluster).endpoints(cluster)
        ]
        TerraformOutput(self, "endpoints", value=endpoints, description="Where clients connect")
        TerraformOutput(
            self,
            "secrets",
            value=[secret.name for secret in secrets],
            description="Secrets with username and password",
        )
        TerraformOutput(
            self,
            "cluster",
            value=_escaped(record(cluster)),
            description="The cluster file that was applied, without its defaults",
        )

    def _let_go(self, cluster: Cluster, planned: Plan) -> None:
        """With `delivery: argocd`: what a stack with `delivery: tofu` held is forgotten, never destroyed."""
        if cluster.delivery != "argocd":
            return
        whole = plan(cluster.model_copy(update={"delivery": "tofu"}))
        kept = {describe(obj) for obj in planned.stack}
        names = [
            f"kubernetes_manifest.{address(obj['kind'], obj['metadata']['name'])}"
            for obj in whole.stack
            if describe(obj) not in kept
        ]
        if whole.release is not None:
            names.append(f"helm_release.{address('release', whole.release.name)}")
        self.add_override("removed", [{"from": name, "lifecycle": {"destroy": False}} for name in names])


def _waited_for(traits: Traits) -> bool:
    return bool(traits.until or traits.conditions)


def _timeouts(traits: Traits) -> ManifestTimeouts | None:
    """What holds data gets the time that it needs to go."""
    ready = _READY_TIMEOUT if _waited_for(traits) else None
    gone = None if traits.holds_data else _GONE_TIMEOUT
    return ManifestTimeouts(create=ready, update=ready, delete=gone) if ready or gone else None


def _wait(traits: Traits) -> ManifestWait:
    return ManifestWait(
        fields=_exactly(traits.until) or None,
        condition=[ManifestWaitCondition(type=name, status="True") for name in traits.conditions] or None,
    )


def record(cluster: Cluster) -> dict[str, Any]:
    """The cluster file as the state keeps it, so that a plan can say what a change does to what runs.

    Without where the state itself is, and without what no object holds.
    """
    return cluster.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"backend", "silence"})


def _exactly(until: Mapping[str, str]) -> dict[str, str]:
    """The provider reads a bare value as a regular expression that may match a part."""
    return {path: f"^{value}$" for path, value in until.items()}


def _escaped(value: Any) -> Any:  # noqa: ANN401  # whatever YAML can hold
    """Plain text for OpenTofu, which would take `${` and `%{` in a string for a template."""
    match value:
        case str():
            return value.replace("${", "$${").replace("%{", "%%{")
        case Mapping():
            return {key: _escaped(inner) for key, inner in value.items()}
        case list():
            return [_escaped(inner) for inner in value]
        case _:
            return value
