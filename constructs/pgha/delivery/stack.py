"""A synthesized stack as it lies on disk: its resources, and which Kubernetes object each of them is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha.config.problems import UserError

STACK_FILE = "cdk.tf.json"

RECORD = "cluster"
"""The stack's output that holds the cluster file: in the state it is the file of what runs."""

_TYPED = {"kubernetes_namespace_v1": "Namespace", "kubernetes_secret_v1": "Secret"}
_RELEASE = "helm_release"
FOREIGN = "Resource"
"""The kind of what no stack of ours has: a file of somebody's own in the stack's folder."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """An address and the object behind it.

    A chart's release has kind `Release`; what somebody put beside the stack and is no object of ours, kind `Resource`.
    """

    address: str
    api_version: str
    kind: str
    namespace: str | None
    name: str

    @property
    def title(self) -> str:
        """`Kind namespace/name`, for people."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def handle(self) -> str:
        """`Kind/name`: what `--destroy` takes."""
        return f"{self.kind}/{self.name}"

    @property
    def import_id(self) -> str:
        """What the provider calls it in an import."""
        if self.address.startswith("kubernetes_manifest."):
            where = f",namespace={self.namespace}" if self.namespace else ""
            return f"apiVersion={self.api_version},kind={self.kind}{where},name={self.name}"
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def identify(address: str, values: Mapping[str, Any]) -> Resource:
    """The object behind a resource, from its values in a stack, a state or a plan."""
    type_ = address.partition(".")[0]
    if type_ == _RELEASE:
        return Resource(
            address=address, api_version="", kind="Release", namespace=values["namespace"], name=values["name"]
        )
    obj: Mapping[str, Any] | None
    if type_ in _TYPED:
        meta = values["metadata"]
        meta = meta[0] if isinstance(meta, list) else meta  # a block: a mapping in the stack, a list in state and plan
        obj = {"apiVersion": "v1", "kind": _TYPED[type_], "metadata": meta}
    else:
        obj = values.get("manifest") or values.get("object")
    if obj is None:
        return Resource(address=address, api_version="", kind=FOREIGN, namespace=None, name=address)
    return Resource(
        address=address,
        api_version=obj["apiVersion"],
        kind=obj["kind"],
        namespace=obj["metadata"].get("namespace") or None,
        name=obj["metadata"]["name"],
    )


@dataclass(frozen=True)
class Stack:
    """The file `cdk.tf.json` of one stack; `name` is its folder's."""

    name: str
    content: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Stack":
        """The stack of a folder.

        Raises:
            UserError: There is none, or it is broken.
        """
        path = folder / STACK_FILE
        try:
            return cls(folder.name, json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}", f"write it again: pgha synth {folder.name}") from error

    def resources(self) -> list[Resource]:
        """Every resource, in the file's order."""
        return [
            identify(f"{type_}.{name}", values)
            for type_, named in (self.content.get("resource") or {}).items()
            for name, values in named.items()
        ]

    def titles(self) -> dict[str, str]:
        """Address → what it is for people."""
        return {one.address: one.title for one in self.resources()}

    def revision(self, address: str) -> int:
        """The revision of a generated Secret's passwords."""
        type_, _, name = address.partition(".")
        found: int = self.content["resource"][type_][name]["data_wo_revision"]
        return found

    def record(self) -> Any:  # noqa: ANN401 - whatever a cluster file holds
        """The cluster file that the stack was made from, as OpenTofu will have it in its state."""
        return _plain((self.content.get("output") or {}).get(RECORD, {}).get("value"))

    def without_backend(self) -> dict[str, Any]:
        """The same, with its state nowhere and no variable to ask for."""
        terraform = {
            key: value for key, value in self.content["terraform"].items() if key not in {"backend", "encryption"}
        }
        return dict(self.content) | {"terraform": terraform}

    def required_variables(self) -> list[str]:
        """Variables without a default."""
        return [name for name, body in (self.content.get("variable") or {}).items() if "default" not in body]

    def unguarded(self) -> dict[str, Any]:
        """An override that lifts every `prevent_destroy` of the stack."""
        lifted: dict[str, dict[str, Any]] = {}
        for type_, named in (self.content.get("resource") or {}).items():
            for name, values in named.items():
                if (values.get("lifecycle") or {}).get("prevent_destroy"):
                    lifted.setdefault(type_, {})[name] = {"lifecycle": {"prevent_destroy": False}}
        return {"resource": lifted}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Text as it is once OpenTofu has read it: `$${` stands for `${`."""
    match value:
        case str():
            return value.replace("$${", "${").replace("%%{", "%{")
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value
