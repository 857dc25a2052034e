"""What the lab has in place of AWS and of External Secrets' controllers.

AWS Secrets Manager is moto's server, spoken to by the AWS client. The controllers cannot be built here
(tools/external-secrets/tool.toml), so `Stand` does their work by their documentation: it reads the ExternalSecrets that
the API server holds, asks for their entries, writes the Secrets and reports in their status. What it shows is that our
objects lead to the right Secrets and what follows from a Secret that changes; not how fast or how well the real
controllers do it: `test_external_secrets.py` asks those where a cluster has them.
"""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from running_lab import Database

from pgha.resources.external_secrets import API_VERSION

REGION = "eu-west-1"


class SecretsManager:
    """Entries by name, each a JSON text as people put it there."""

    def __init__(self, url: str) -> None:
        self._client: Any = boto3.client(
            "secretsmanager", endpoint_url=url, region_name=REGION,
            aws_access_key_id="key-of-the-test", aws_secret_access_key="secret-of-the-test",
        )  # fmt: skip

    def put(self, name: str, **value: str) -> None:
        """A new entry, or a new value of an entry."""
        text = json.dumps(value)
        try:
            self._client.put_secret_value(SecretId=name, SecretString=text)
        except self._client.exceptions.ResourceNotFoundException:
            self._client.create_secret(Name=name, SecretString=text)

    def delete(self, name: str) -> None:
        self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def property(self, name: str, key: str) -> str:
        """What `remoteRef` with `key` and `property` means."""
        return str(json.loads(self._client.get_secret_value(SecretId=name)["SecretString"])[key])


@contextmanager
def secrets_manager() -> Iterator[SecretsManager]:
    """An empty one, for as long as the block lasts."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield SecretsManager(f"http://{host}:{port}")
    finally:
        server.stop()


class Stand:
    """The work of External Secrets' controller in one namespace, done once whenever a test says so."""

    def __init__(self, database: Database, entries: SecretsManager, namespace: str) -> None:
        self._database, self._entries, self._namespace = database, entries, namespace
        self.written: dict[str, float] = {}
        """Secret → when it was last sent to the API server (monotonic)."""

    def sync(self) -> None:
        """Every ExternalSecret: fetch, write its Secret, report."""
        for obj in self._list():
            try:
                found = {each["secretKey"]: self._fetched(each["remoteRef"]) for each in obj["spec"]["data"]}
            except (ClientError, KeyError):
                self._report(obj, "False", "SecretSyncedError", "could not get secret data from provider")
                continue
            self._write(obj, found)
            self._report(obj, "True", "SecretSynced", "secret synced")

    def _list(self) -> list[dict[str, Any]]:
        kind = "externalsecrets.external-secrets.io"
        found = json.loads(self._database.kubectl("get", kind, f"--namespace={self._namespace}", "--output=json"))
        items: list[dict[str, Any]] = found["items"]
        return items

    def _fetched(self, reference: dict[str, str]) -> str:
        return self._entries.property(reference["key"], reference["property"])

    def _write(self, obj: dict[str, Any], found: dict[str, str]) -> None:
        target = obj["spec"]["target"]
        template = target["template"]
        assert (target["creationPolicy"], template["engineVersion"], template["mergePolicy"]) == (
            "Owner",
            "v2",
            "Replace",
        )
        data = {key: _rendered(text, found) for key, text in template["data"].items()}
        meta, labels = obj["metadata"], template.get("metadata", {}).get("labels", {})
        owner = {"apiVersion": API_VERSION, "kind": "ExternalSecret", "name": meta["name"], "uid": meta["uid"],
                 "controller": True, "blockOwnerDeletion": True}  # fmt: skip
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": template["type"],
            "metadata": {
                "name": target["name"], "namespace": self._namespace, "ownerReferences": [owner],
                "labels": labels | {"reconcile.external-secrets.io/managed": "true"},
            },
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        }  # fmt: skip
        words = ("apply", "--server-side", "--force-conflicts", "--field-manager=externalsecrets", "--filename=-")
        self.written[target["name"]] = time.monotonic()
        self._database.kubectl(*words, stdin=json.dumps(secret))

    def _report(self, obj: dict[str, Any], status: str, reason: str, message: str) -> None:
        condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
        patch = json.dumps({"status": {"conditions": [condition]}})
        self._database.kubectl(
            "patch", "externalsecrets.external-secrets.io", obj["metadata"]["name"], f"--namespace={self._namespace}",
            "--subresource=status", "--type=merge", f"--patch={patch}",
        )  # fmt: skip


def _rendered(template: str, found: dict[str, str]) -> str:
    """Go's `{{ .key }}`, all that our templates use."""
    rendered = re.sub(r"{{ \.(\w+) }}", lambda match: found[match[1]], template)
    assert "{{" not in rendered or "{{" in "".join(found.values())
    return rendered
