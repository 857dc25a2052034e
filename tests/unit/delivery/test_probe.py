"""The probe's protocol, against sockets that behave like the things that go wrong."""

import json
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

import pytest


def probed(request: Any) -> dict[str, Any]:
    """Run it as the delivery does: a process, the request on standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "pgha.delivery.probe"],
        input=request if isinstance(request, str) else json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def request(port: int, **changes: Any) -> dict[str, Any]:
    plain = {"host": "127.0.0.1", "dbname": "app", "user": "app", "password": "hidden-word", "connect_timeout": 3}
    return plain | {"port": port, "sslmode": "prefer"} | changes


def test_a_closed_port_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer = probed(request(port))
    assert (answer["ok"], answer["reached"]) == (False, False)
    assert "refused" in answer["error"]


def test_a_refused_password_says_that_the_server_was_reached() -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"N")  # no TLS here; the client goes on in plain text
            connection.recv(1024)
            fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user app\0\0"
            connection.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        answer = probed(request(listener.getsockname()[1]))
        thread.join()
    assert (answer["ok"], answer["reached"]) == (False, True)
    assert "password authentication failed" in answer["error"]
    assert "hidden-word" not in json.dumps(answer)


def test_a_request_that_is_not_json_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="the request is not JSON"):
        probed("{")
