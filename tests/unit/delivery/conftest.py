"""A small API server on loopback, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import Server, running

from pgha.delivery.kubernetes import Api


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Api:
    return Api.connect(server.kubeconfig(tmp_path))
