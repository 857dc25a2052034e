"""Object storage for backups: an S3 server, a bucket, and the Barman Cloud plugin that writes there.

Keys and certificates are made at the first installation, exist only in Secrets there, and stay until `lab down`.
The plugin's manifest is the one of its Go module, without what needs cert-manager.
"""

import base64
import json
import secrets
from typing import Any

from ruamel.yaml import YAML

from lab import node, programs
from lab.home import SOURCE
from lab.kubernetes import kubectl
from lab.steps import run, step
from lab.topology import CONTROL_PLANE

NAMESPACE = "object-storage"
BUCKET = "backups"
ENDPOINT = f"https://s3.{NAMESPACE}.svc.cluster.local"
KEYS, CA = "s3-keys", "s3-ca"
"""Secrets in that namespace: ACCESS_KEY_ID and ACCESS_SECRET_KEY; ca.crt."""

_PLUGIN = "ghcr.io/cloudnative-pg/plugin-barman-cloud"
_LEAF = """
openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
  -subj "/CN=$1" -addext "subjectAltName=DNS:$1" -addext "extendedKeyUsage=$2" \
  -addext "basicConstraints=critical,CA:FALSE" -addext "keyUsage=critical,digitalSignature" $3 -keyout key -out crt
cat key crt
"""
_AUTHORITY = """
openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
  -subj "/CN=object storage of the lab" -addext "basicConstraints=critical,CA:TRUE" \
  -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.crt
cat ca.crt
"""

Object = dict[str, Any]


def install() -> None:
    """Start the S3 server, make the bucket, install the plugin, and wait until all of it works.

    A second time changes nothing: keys and certificates that are there stay.
    """
    with step("install an S3 server and the Barman Cloud plugin") as say:
        _apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        _apply([*_server_secrets(), *_plugin_secrets()])
        say("S3 server")
        manifest = (SOURCE / "object-storage.yaml").read_text()
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
        kubectl("rollout", "status", f"--namespace={NAMESPACE}", "deployment/s3", "--timeout=180s")
        kubectl("wait", f"--namespace={NAMESPACE}", "--for=condition=Complete", "job/bucket", "--timeout=180s")
        say("Barman Cloud plugin")
        _apply(_plugin())
        kubectl("rollout", "status", "--namespace=cnpg-system", "deployment/barman-cloud", "--timeout=180s")


def _server_secrets() -> list[Object]:
    """Keys of the server's only account, and its certificate with the authority that signed it."""
    if _exists(NAMESPACE, "s3-tls"):
        return []
    host = ENDPOINT.removeprefix("https://")
    signed = _AUTHORITY + _LEAF.replace("$3", "-CA ca.crt -CAkey ca.key")
    authority, key, certificate = _pems(signed, host, "serverAuth")
    keys = {"ACCESS_KEY_ID": secrets.token_hex(10), "ACCESS_SECRET_KEY": secrets.token_urlsafe(30)}
    return [
        _secret(NAMESPACE, KEYS, keys),
        _secret(NAMESPACE, CA, {"ca.crt": authority}),
        _secret(NAMESPACE, "s3-tls", {"tls.key": key, "tls.crt": certificate}, "kubernetes.io/tls"),
    ]


def _plugin_secrets() -> list[Object]:
    """The certificates that operator and plugin know each other by; each trusts exactly the other's."""
    made = []
    for name, host, usage in (
        ("barman-cloud-server-tls", "barman-cloud", "serverAuth"),
        ("barman-cloud-client-tls", "barman-cloud-client", "clientAuth"),
    ):
        if not _exists("cnpg-system", name):
            key, certificate = _pems(_LEAF.replace("$3", ""), host, usage)
            values = {"tls.key": key, "tls.crt": certificate}
            made.append(_secret("cnpg-system", name, values, "kubernetes.io/tls"))
    return made


def _plugin() -> list[Object]:
    """The module's manifest with released images, and two pods that both answer, on two nodes.

    The operator does nothing about a cluster, failover included, while the plugin does not answer (measured). Its own
    leader election would let only one of two answer; what it guards may be done twice.
    """
    text = programs.program("plugin-barman-cloud", "plugin-barman-cloud.yaml").read_text()
    version = programs.tool("plugin-barman-cloud").version
    found = [obj for obj in YAML(typ="safe").load_all(text) if not obj["apiVersion"].startswith("cert-manager.io/")]
    for obj in found:
        if obj["kind"] == "Secret":
            obj["data"] = {"SIDECAR_IMAGE": _encoded(f"{_PLUGIN}-sidecar:v{version}")}
        elif obj["kind"] == "Deployment":
            pod = obj["spec"]["template"]["spec"]
            container = pod["containers"][0]
            container |= {"image": f"{_PLUGIN}:v{version}", "imagePullPolicy": "IfNotPresent"}
            container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 2}
            container["args"].remove("--leader-elect")
            obj["spec"] |= {"replicas": 2, "strategy": {"type": "RollingUpdate"}}
            pod["topologySpreadConstraints"] = [
                {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
                 "nodeTaintsPolicy": "Honor", "labelSelector": {"matchLabels": {"app": "barman-cloud"}},
                 "matchLabelKeys": ["pod-template-hash"]}
            ]  # fmt: skip
            pod["tolerations"] = [
                {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute",
                 "tolerationSeconds": 5}
                for what in ("not-ready", "unreachable")
            ]  # fmt: skip
    return found


def _pems(script: str, *words: str) -> list[str]:
    """Run openssl on the first node in a folder of its own, and split what it prints."""
    folder = 'set -e; folder=$(mktemp -d); trap "rm -r $folder" EXIT; cd "$folder"\n'
    printed = run(node.command(CONTROL_PLANE, ["sh", "-c", folder + script, "sh", *words]))
    return [f"-----BEGIN{part}".strip() + "\n" for part in printed.split("-----BEGIN")[1:]]


def _exists(namespace: str, name: str) -> bool:
    return bool(kubectl("get", "secret", name, f"--namespace={namespace}", "--ignore-not-found", "--output=name"))


def _secret(namespace: str, name: str, values: dict[str, str], kind: str = "Opaque") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: _encoded(value) for key, value in values.items()},
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _apply(objects: list[Object]) -> None:
    if objects:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listed))
