"""Health rules for Argo CD, in its own language: what it needs to know of the kinds that clusters are made of.

A part of the ConfigMap `argocd-cm`, beside what is there. MetalLB's kinds report no state, and External Secrets' are
known to Argo CD 3.2 (its resource_customizations/), so there is nothing for them.
"""

from importlib.resources import files

from pgha.resources.metadata import Object

PATH = "kubernetes/argocd/health.yaml"
"""Where the rules are written in a repository that Argo CD reads."""


def command(namespace: str) -> str:
    """How a person puts the rules beside what is there.

    `kubectl apply` would take the file for the whole ConfigMap, server-side too: it takes over what an earlier apply of
    Argo CD's own manifests owns, and deletes from it what this file does not name (measured with kubectl 1.36).
    """
    return f"kubectl patch configmap argocd-cm --namespace={namespace} --type=merge --patch-file={PATH}"


def health(namespace: str) -> Object:
    """The rules for the Argo CD in `namespace`."""
    data = {}
    for script in sorted(files("pgha.resources").joinpath("health").iterdir(), key=lambda path: path.name):
        kind = script.name.removesuffix(".lua")
        data[f"resource.customizations.health.{kind}"] = script.read_text()
        if ":match(" in data[f"resource.customizations.health.{kind}"]:
            data[f"resource.customizations.useOpenLibs.{kind}"] = "true"  # Lua's string library, to read a moment
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "argocd"}},
        "data": data,
    }
