"""Server-side apply: the way without OpenTofu. Both ways end in the same objects (docs/adr/0004)."""

import base64
import secrets
import string
from collections.abc import Callable

from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.delivery.preflight import is_settled
from pgha.engines import Plan
from pgha.resources.credentials import PASSWORD_LENGTH, GeneratedSecret
from pgha.resources.metadata import REVISION, Object, describe
from pgha.resources.pods import ACCESS

_ALPHABET = string.ascii_letters + string.digits


def apply(api: Api, planned: Plan, say: Callable[[str], None]) -> list[str]:
    """Apply Namespace, Secrets and the rest in order; returns a line for each object that is new or changed.

    Interrupted at any point, the next run continues: every step is a comparison first.

    Raises:
        UserError: A chart belongs to it, which only OpenTofu or Argo CD installs; nothing is applied.
        ApiError: The server refused one; those before it are applied.
    """
    if planned.release is not None and not planned.tree:
        raise UserError(
            f"chart {planned.release.chart} cannot be installed without OpenTofu and its Helm provider",
            "install OpenTofu where `tofu init` reaches its registry, or write delivery: argocd",
        )
    namespace, *rest = planned.stack
    changes = [_applied(api, namespace, say)]
    changes += [_secret(api, secret, say) for secret in planned.secrets]
    changes += _superseded(api, planned)
    changes += [_applied(api, obj, say) for obj in rest]
    return [change for change in changes if change]


def _superseded(api: Api, planned: Plan) -> list[str]:
    """Delete the Jobs of an earlier file.

    One that stays would do nothing when its file comes back, and one that still runs would undo what the new one does.
    """
    meta = planned.stack[0]["metadata"]
    wanted = {obj["metadata"]["name"] for obj in [*planned.stack, *planned.tree] if obj["kind"] == "Job"}
    ours = {key: value for key, value in meta["labels"].items() if key.startswith("app.kubernetes.io/")} | ACCESS
    found = api.list("batch/v1", "Job", meta["name"], ours)
    old = [{"apiVersion": "batch/v1", "kind": "Job"} | job for job in found if job["metadata"]["name"] not in wanted]
    return [f"deleted {describe(job)}" for job in old if api.delete(job)]


def password() -> str:
    """Random letters and digits, as `random_password` of the stack makes them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


def _applied(api: Api, obj: Object, say: Callable[[str], None]) -> str | None:
    say(describe(obj))
    if is_settled(api, obj):
        return None
    before = api.find(obj)
    after = api.apply(obj)
    if before is None:
        return f"created {describe(obj)}"
    return None if _text(before) == _text(after) else f"changed {describe(obj)}"


def _text(obj: Object) -> Object:
    """What people mean by an object: without its status and the server's book-keeping."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in {"managedFields", "resourceVersion"}}
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}} | {"metadata": meta}


def _secret(api: Api, secret: GeneratedSecret, say: Callable[[str], None]) -> str | None:
    """Make the passwords once, and anew when the recorded revision is another one.

    A Secret without a recorded revision was put there by somebody for us to use; it is left alone.
    """
    name = f"Secret {secret.namespace}/{secret.name}"
    say(name)
    live = api.read("v1", "Secret", secret.namespace, secret.name)
    if live is not None:
        recorded = (live["metadata"].get("annotations") or {}).get(REVISION)
        if recorded in {None, str(secret.revision)}:
            return None
    values = secret.data | {key: password() for key in secret.passwords}
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": secret.name,
                "namespace": secret.namespace,
                "labels": secret.labels,
                "annotations": secret.annotations,
            },
            "type": secret.type,
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }
    )
    return f"{'created' if live is None else 'renewed the passwords of'} {name}"
