"""What a command in a container answers, from a server that leaves the connection open afterwards."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx2
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Request

from pgha.delivery.kubernetes import Api

STDOUT, STATUS = b"\x01", b"\x03"


@pytest.fixture
def api() -> Iterator[Api]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_once, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx2.Client(base_url=url) as http:
            yield Api(http, lambda: httpx2.AsyncClient(base_url=url), url)


def _answer_once(listener: socket.socket) -> None:
    client, _ = listener.accept()
    speaker = WSConnection(ConnectionType.SERVER)
    with client:
        while data := client.recv(65536):
            speaker.receive_data(data)
            for event in speaker.events():
                if isinstance(event, Request):
                    client.sendall(speaker.send(AcceptConnection(subprotocol=event.subprotocols[0])))
                    for message in (STDOUT + b"an answer", STATUS + json.dumps({"status": "Success"}).encode()):
                        client.sendall(speaker.send(BytesMessage(data=message)))


def test_an_answer_leaves_nobody_reading(api: Api) -> None:
    """Who went on reading a closed socket would take the bytes of whoever gets the socket's number next."""
    before = set(threading.enumerate())
    assert api.execute("db-ns", "db-1", "postgres", ["psql"]) == "an answer"
    assert set(threading.enumerate()) <= before


RACE = r"""
import os, sys, threading
import pgha.delivery.kubernetes
from lightkube.core.decoders import decode_status

def read(start):
    start.wait()
    decode_status(b'{"metadata": {}, "status": "Success"}')

sys.setswitchinterval(5e-5)
for _ in range(30):
    if (child := os.fork()) == 0:
        start = threading.Barrier(8)
        threads = [threading.Thread(target=read, args=(start,)) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("crashed")
"""


def test_answers_that_end_at_once_do_not_crash_the_program() -> None:
    """Each child of RACE starts where a command does after its imports; `pgha status` has ended by SIGSEGV here."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
