"""What every part of the cluster file has in common: strictness, and the kinds of text that keys hold."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

Name = Annotated[str, StringConstraints(min_length=1, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
"""A Kubernetes name that is also a DNS-1035 label: it becomes Services."""

Identifier = Annotated[str, StringConstraints(min_length=1)]
"""A PostgreSQL identifier; at most 63 bytes (rule)."""

Quantity = Annotated[str, StringConstraints(min_length=1)]
"""A Kubernetes resource quantity such as `500m` or `2Gi` (rule)."""

Privilege = Literal[
    "CONNECT",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "CREATE",
    "TEMPORARY",
    "USAGE",
    "EXECUTE",
]
"""What a user may do in a database and with its tables, in PostgreSQL's words."""


class Section(BaseModel):
    """Base of every mapping in the cluster file: unknown keys are refused, values are never coerced."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        # Validators are built when a file is first read, every section inside the whole. That is why defaults in these
        # modules are made with model_construct: validating one would build its section on its own (20 ms in all).
        defer_build=True,
    )

    def sets(self, field: str) -> bool:
        """Whether the file itself sets this field (its Python name), be it to the default."""
        return field in self.model_fields_set
