"""A cluster as the text of a file: what `load` reads back as the same cluster."""

import re
from typing import Any

import yaml

from pgha.config.model import Cluster

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*\Z", re.ASCII)
_READ_OTHERWISE = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
"""Words that one or the other version of YAML takes for something else than text."""


class _Dumper(yaml.SafeDumper):
    """Every text in quotes that any reader could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's
        return True  # an anchor is refused where it is read


def dump(cluster: Cluster) -> str:
    """The keys that a file sets, in the model's order; defaults that it leaves out stay out."""
    data = cluster.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.match(text) and text.lower() not in _READ_OTHERWISE
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)
