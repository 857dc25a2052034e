import socket

from pgha.delivery.target import relayed


def test_an_address_that_something_listens_on_for_it_has_a_loopback_form() -> None:
    with socket.create_server(("127.168.10.99", 0)) as listening:
        port = listening.getsockname()[1]
        assert relayed("192.168.10.99", port) == "127.168.10.99"
    assert relayed("192.168.10.99", port) is None


def test_an_address_of_no_lan_has_none() -> None:
    assert relayed("db.example.test", 5432) is None
