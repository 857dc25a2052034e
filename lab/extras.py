"""What a lab has beside the cluster on request: programs, images and manifests of its own."""

import importlib

from lab import images, node, programs, rootfs, store
from lab.home import LOGS
from lab.steps import step
from lab.topology import Node


def build(name: programs.Extra) -> None:
    """Everything of an extra that is cached."""
    programs.build_all(programs.EXTRAS[name])
    rootfs.build(rootfs.SERVICES)


def add(name: programs.Extra, nodes: list[Node]) -> None:
    """Give every running node the extra's images, and install it. Done twice it is the same."""
    catalogue = images.catalogue(name)
    with step(f"load {len(catalogue)} images of {name}") as say, (LOGS / f"images-{name}.log").open("w") as log:
        for each in nodes:
            say(each.name)
            store.load(catalogue, [*node.command(each, ["ctr", "--namespace", "k8s.io"])], log)
    importlib.import_module(f"lab.{name.replace('-', '_')}").install()
