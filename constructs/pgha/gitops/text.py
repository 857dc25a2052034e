"""Kubernetes objects as YAML text that is the same for the same objects."""

from collections.abc import Iterable
from io import StringIO

from ruamel.yaml import YAML

from pgha.resources.metadata import Object


def to_yaml(objects: Iterable[Object]) -> str:
    """One document per object, each opened by `---`; keys in the order in which they were built."""
    yaml = YAML()
    yaml.explicit_start = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _: True
    text = StringIO()
    yaml.dump_all(list(objects), text)
    return text.getvalue()
