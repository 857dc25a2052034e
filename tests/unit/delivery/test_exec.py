"""What a command in a container answers, from a server that leaves the connection open afterwards."""

import json
import socket
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
