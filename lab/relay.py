"""The way in from this machine: loopback ports that end at the API server and at LoadBalancer addresses.

This machine's own network gets no route to the lab. A process that listens here and then steps into the LAN's network
namespace has one foot on each side: sockets stay in the namespace they were made in.

    python -m lab.relay     run it in the foreground
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from functools import partial
from ipaddress import IPv4Address

from lab import cgroups
from lab.home import HOME, LOGS
from lab.network import NAMESPACES
from lab.steps import LabError, wait_until
from lab.topology import API_PORT, CONTROL_PLANE, GIT_PORT, LAN_NAMESPACE, LOAD_BALANCERS, POSTGRESQL_PORT, on_loopback

_GROUP = "relay"
_CLONE_NEWNET = 0x40000000
_CHUNK = 64 * 1024

TARGETS: list[tuple[IPv4Address, int]] = [
    (CONTROL_PLANE.address, API_PORT),
    (CONTROL_PLANE.address, GIT_PORT),
    *((address, POSTGRESQL_PORT) for address in LOAD_BALANCERS),
]


def running() -> bool:
    """Whether a relay is at work."""
    return bool(cgroups.processes(_GROUP))


def start() -> None:
    """Start the relay in the background, in a control group of the lab's so that it can be found again."""
    if running():
        return
    cgroups.create(_GROUP)
    with (LOGS / "relay.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.relay"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, cwd=HOME.parent,
        )  # fmt: skip
    api = (str(on_loopback(CONTROL_PLANE.address)), API_PORT)
    wait_until(
        lambda: process.poll() is not None or _accepts(api),
        what="the relay on loopback",
        seconds=15,
        every=0.05,
    )
    if process.poll() is not None:
        raise LabError(
            f"the relay could not listen on {api[0]}:{api[1]} or a port {POSTGRESQL_PORT} of 127.168.10.100 to .110",
            f"end what listens there (`ss -ltnp`); details are in {LOGS / 'relay.log'}",
        )


def _accepts(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


async def _serve() -> None:
    cgroups.enter(_GROUP)
    listening = [(_listen(on_loopback(address), port), str(address), port) for address, port in TARGETS]
    _step_into_lan()
    for ours, address, port in listening:
        await asyncio.start_server(partial(_relay, address=address, port=port), sock=ours)
    await asyncio.Event().wait()


def _listen(address: IPv4Address, port: int) -> socket.socket:
    return socket.create_server((str(address), port))


def _step_into_lan() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with (NAMESPACES / LAN_NAMESPACE).open() as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
    try:
        far_reader, far_writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout=5)
    except (OSError, TimeoutError):
        writer.transport.abort()  # a reset, which is what a closed port would have said
        return
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    except OSError:
        far_writer.transport.abort()
        writer.transport.abort()
    finally:
        far_writer.close()
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy one direction to its end, then pass the end on."""
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()


if __name__ == "__main__":
    asyncio.run(_serve())
