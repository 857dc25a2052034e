"""What every stack has: provider versions, a backend with a relative path, ids that do not change."""

import re
from collections.abc import Mapping
from typing import Any

from cdktf import LocalBackend, TerraformElement, TerraformStack
from cdktf_cdktf_provider_kubernetes.provider import KubernetesProvider

from pgha.config.model import Backend

REQUIRED_VERSION = ">= 1.11.0"
"""OpenTofu with ephemeral resources and write-only attributes; older ones would fail later and less
clearly.
"""

_PASSPHRASE = "state_passphrase"  # noqa: S105 - the name of a variable
_RANDOM = {"source": "hashicorp/random", "version": "3.9.0"}


def prepare(stack: TerraformStack, backend: Backend) -> KubernetesProvider:
    """Declare versions, backend and the Kubernetes provider.

    The provider block is empty: it reads KUBE_CONFIG_PATH (or KUBE_CONFIG_PATHS), or the service account
    inside a pod, so that no machine's path is in the stack. `pgha up` sets it from KUBECONFIG.
    """
    stack.add_override("terraform.required_version", REQUIRED_VERSION)
    # cdktf would otherwise add a local backend with an absolute path.
    local = LocalBackend(stack, path=f"{stack.node.id}.tfstate")
    if backend.type == "local":
        for key, value in backend.config.items():
            local.add_override(key, value)
    else:
        stack.add_override(f"terraform.backend.{backend.type}", dict(backend.config))
        stack.add_override("terraform.backend.local", None)
    if backend.encryption == "passphrase":
        _encrypt(stack)
    return KubernetesProvider(stack, "kubernetes")


def _encrypt(stack: TerraformStack) -> None:
    """State and plans under a passphrase that is asked for by environment, TF_VAR_state_passphrase.

    A state that is not encrypted yet is still read; the next apply encrypts it.
    """
    passphrase = {"type": "string", "sensitive": True, "description": "16 characters or more; never in Git"}
    stack.add_override(f"variable.{_PASSPHRASE}", passphrase)
    sealed = {  # a method is a bare reference in JSON; OpenTofu takes no template there
        "method": "method.aes_gcm.passphrase",
        "fallback": {"method": "method.unencrypted.before"},
    }
    encryption = {
        "key_provider": {"pbkdf2": {"passphrase": {"passphrase": f"${{var.{_PASSPHRASE}}}"}}},
        "method": {
            "aes_gcm": {"passphrase": {"keys": "${key_provider.pbkdf2.passphrase}"}},
            "unencrypted": {"before": {}},
        },
        "state": sealed,
        "plan": sealed,
    }
    stack.add_override("terraform.encryption", encryption)


def require_random(stack: TerraformStack) -> None:
    """The provider of `ephemeral random_password`; cdktf has no construct for ephemeral resources."""
    stack.add_override("terraform.required_providers.random", _RANDOM)
    stack.add_override("provider.random", [{}])


def ephemeral(stack: TerraformStack, kind: str, name: str, arguments: Mapping[str, Any]) -> None:
    """An ephemeral resource: its value lives for one apply and is in no state, no plan."""
    stack.add_override(f"ephemeral.{kind}.{name}", dict(arguments))


def address(*parts: str) -> str:
    """A resource's name in the stack: `IPAddressPool`, `lab` → `ip_address_pool_lab`.

    It is API: state is kept under it.
    """
    words = (re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", part) for part in parts)
    return re.sub(r"[^a-z0-9]+", "_", "_".join(words).lower())


def pin(element: TerraformElement, name: str) -> None:
    """Use exactly this name, without the hash by which cdktf makes names unique."""
    element.override_logical_id(name)
