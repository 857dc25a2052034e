"""OpenTofu's state as a value: which resources it knows, and the record of a Secret that is taken over unread."""

import json
import uuid
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

_KUBERNETES = 'provider["registry.opentofu.org/hashicorp/kubernetes"]'
_OLDEST = "1.11.0"
"""OpenTofu refuses a state that names a newer version than its own: the oldest that the stacks admit."""


@dataclass(frozen=True)
class State:
    """The state's JSON (version 4); empty before the first apply."""

    content: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "State":
        """What `tofu state pull` prints: nothing, or JSON after whatever warnings come before it."""
        return cls(json.loads(text[text.index("{") :])) if "{" in text else cls()

    def text(self) -> str:
        """As `tofu state push` takes it."""
        return json.dumps(self.content)

    def addresses(self) -> set[str]:
        """Addresses of all managed resources."""
        return {f"{one['type']}.{one['name']}" for one in self._managed()}

    def tainted(self) -> list[str]:
        """Addresses of resources that the next plan would replace because their creation was not seen to its end."""
        return [
            f"{one['type']}.{one['name']}"
            for one in self._managed()
            if any(instance.get("status") == "tainted" for instance in one["instances"])
        ]

    def attributes(self, address: str) -> dict[str, Any] | None:
        """The recorded values of a resource."""
        for one in self._managed():
            if f"{one['type']}.{one['name']}" == address and one["instances"]:
                found: dict[str, Any] = one["instances"][0]["attributes"]
                return found
        return None

    def with_secret(self, address: str, namespace: str, name: str, revision: int) -> "State":
        """The same with a Secret as it is, known by its name and the revision of its passwords alone.

        An import would read the passwords into the state, and the next apply would replace them. This record has none;
        OpenTofu reads the rest (labels, annotations) by itself.
        """
        content = deepcopy(dict(self.content)) or {
            "version": 4,
            "terraform_version": _OLDEST,
            "serial": 0,
            "lineage": str(uuid.uuid4()),
            "outputs": {},
            "resources": [],
        }
        kind, _, label = address.partition(".")
        kept = [one for one in content["resources"] if (one.get("type"), one["name"]) != (kind, label)]
        record = {
            "mode": "managed",
            "type": kind,
            "name": label,
            "provider": _KUBERNETES,
            "instances": [
                {
                    "schema_version": 0,
                    "attributes": {
                        "id": f"{namespace}/{name}",
                        "data_wo_revision": revision,
                        "wait_for_service_account_token": True,
                    },
                    "sensitive_attributes": [],
                }
            ],
        }
        return State(content | {"serial": content["serial"] + 1, "resources": [*kept, record]})

    def _managed(self) -> list[dict[str, Any]]:
        return [one for one in self.content.get("resources") or [] if one["mode"] == "managed"]
