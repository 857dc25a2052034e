"""The whole lab: up, down and how it is."""

import contextlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lab import addons, cgroups, extras, kubernetes, network, node, preflight, programs, relay, rootfs, store
from lab.home import CACHE, HOME, KUBECONFIG, OWNER, STATE, locked
from lab.programs import Extra
from lab.steps import LabError, console, step
from lab.timers import TIMERS, Pace
from lab.topology import MAX_NODES, Node, nodes

_RECORD = STATE / "lab.json"


@dataclass(frozen=True)
class Record:
    """What the lab on disk was made from, and how far `up` came."""

    nodes: int
    images: str
    timers: Pace = "fast"
    complete: bool = False
    extras: tuple[Extra, ...] = ()

    def write(self) -> None:
        """Keep it."""
        STATE.mkdir(parents=True, exist_ok=True)
        _RECORD.write_text(json.dumps(self.__dict__))


def record() -> Record | None:
    """What is on disk, if anything."""
    if not _RECORD.exists():
        return None
    known = json.loads(_RECORD.read_text())
    return Record(**known | {"extras": tuple(map(Extra, known.get("extras", ())))})


def known() -> Record:
    """What is on disk."""
    found = record()
    if found is None:
        raise LabError("there is no lab here", "start one with `lab up`")
    return found


def members() -> list[Node]:
    """The nodes of the lab on disk."""
    return nodes(known().nodes)


def up(count: int | None, timers: Pace | None = None, wanted_extras: Sequence[Extra] = ()) -> None:
    """Bring the lab up, or the rest of it where an earlier run was interrupted; do nothing where it runs."""
    found = record()
    wanted = count or (found.nodes if found else 3)
    pace = timers or (found.timers if found else "fast")
    if not 1 <= wanted <= MAX_NODES:
        raise LabError(f"--nodes must be 1 to {MAX_NODES}, got {wanted}", "give a number in that range")
    preflight.check(wanted)
    with locked():
        OWNER.write_text(f"{HOME}\n")
        if found and (found.nodes, found.timers) != (wanted, pace):
            raise LabError(
                f"the lab has {found.nodes} nodes and {found.timers} timers, not {wanted} and {pace}",
                "`lab down` first: it can change neither",
            )
        started = time.monotonic()
        if not (found and found.complete and _whole(nodes(wanted))):
            build(wanted_extras)
            _refuse_other_images(found)
            found = _assemble(Record(wanted, store.folder().name, pace, extras=found.extras if found else ()))
        for name in wanted_extras:
            if name not in found.extras:
                extras.build(name)
                extras.add(name, nodes(wanted))
                found = replace(found, extras=(*found.extras, name))
                found.write()
        console.print(
            f"the lab is up after {time.monotonic() - started:.0f} s: {wanted} nodes, kubeconfig {KUBECONFIG}"
        )


def build(wanted_extras: Sequence[Extra] = ()) -> None:
    """Everything that is cached: programs, trees, images."""
    programs.build_all([*programs.FOR_A_CLUSTER, *(tool for name in wanted_extras for tool in programs.EXTRAS[name])])
    for tree in rootfs.FOR_A_CLUSTER:
        rootfs.build(tree)
    for name in wanted_extras:
        extras.build(name)
    rootfs.unpack(rootfs.NODE)
    store.build()


def _refuse_other_images(known: Record | None) -> None:
    if known and known.images != store.folder().name:
        raise LabError("the lab on disk was made from other programs or images", "`lab down` removes it; then `lab up`")


def _assemble(target: Record) -> Record:
    everyone = nodes(target.nodes)
    started = datetime.now(UTC)
    target.write()
    with step(f"start {target.nodes} nodes") as say:
        kubernetes.forget_unfinished(everyone)
        network.create(everyone)
        node.collect_programs()
        for each in everyone:
            say(each.name)
            node.start(each, everyone)
    kubernetes.create(everyone, TIMERS[target.timers])
    relay.start()
    with step("wait for every node"):
        kubernetes.require_ready(everyone, heard_since=started)
    addons.install()
    finished = replace(target, complete=True)
    finished.write()
    return finished


def _whole(everyone: list[Node]) -> bool:
    """Whether nothing is missing from a lab that was complete before."""
    if not relay.running() or any(cgroups.init(each.name) is None for each in everyone):
        return False
    return kubernetes.answers() and kubernetes.ready_nodes() >= {each.name for each in everyone}


def down(everything: bool) -> None:
    """Remove processes, namespaces, mounts, control groups and the cluster's files; with `everything` the cache too."""
    foreign = preflight.foreign_namespaces()
    if foreign:
        raise LabError("what runs here is not this lab", foreign)
    with locked():
        with step("stop the lab"):
            cgroups.end()
            network.remove()
            with contextlib.suppress(FileNotFoundError):
                OWNER.unlink()
        with step("remove its files"):
            shutil.rmtree(STATE, ignore_errors=True)
            if everything:
                shutil.rmtree(CACHE, ignore_errors=True)
    if everything:
        shutil.rmtree(HOME, ignore_errors=True)


def member(name: str) -> Node:
    """A node by its name."""
    for each in members():
        if each.name == name:
            return each
    raise LabError(f"there is no node {name!r}", f"take one of {', '.join(each.name for each in members())}")


def stop_node(name: str) -> None:
    """Kill a node as a power cut would."""
    with locked():
        node.stop(member(name))


def start_node(name: str) -> None:
    """Start a killed node over its disk and wait until it is Ready again."""
    with locked(), step(f"start {name}"):
        started = datetime.now(UTC)
        node.start(member(name), members())
        kubernetes.require_ready([member(name)], heard_since=started)
