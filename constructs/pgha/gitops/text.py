"""Kubernetes objects as YAML text that is the same for the same objects."""

from collections.abc import Iterable
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from pgha.resources.metadata import Object


def to_yaml(objects: Iterable[Object]) -> str:
    """One document per object, each opened by `---`; keys in the order in which they were built."""
    yaml = YAML()
    yaml.explicit_start = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _: True
    yaml.representer.add_representer(str, _text)
    text = StringIO()
    yaml.dump_all(list(objects), text)
    return text.getvalue()


def _text(representer: RoundTripRepresenter, text: str) -> ScalarNode:
    """Text of several lines as such: scripts, statements and settings are to be read in a review."""
    style = "|" if "\n" in text else None
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)
