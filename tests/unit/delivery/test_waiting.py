"""When a cluster counts as ready, after a change that its operator may not have seen yet."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from api_server import Server

from pgha.delivery import waiting
from pgha.delivery.kubernetes import Api
from pgha.engines.base import Readiness
from tests.support import lab


def look(ready: bool, what: str) -> Readiness:
    return Readiness(ready=ready, summary=what)


def until(looks: list[Readiness], api: Api, monkeypatch: pytest.MonkeyPatch, *, changed: bool) -> str:
    remaining: Iterator[Readiness] = iter(looks)
    engine = SimpleNamespace(readiness=lambda *_: next(remaining), pods=lambda _: {})
    monkeypatch.setattr(waiting, "engine_of", lambda _: engine)
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0)
    return waiting.until_ready(api, lab(), timeout=60, say=lambda _: None, changed=changed).summary


def test_without_a_change_ready_is_ready(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert until([look(True, "first")], api, monkeypatch, changed=False) == "first"


def test_a_restart_that_begins_late_is_waited_for(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look(True, "before"), look(False, "upgrading"), look(True, "after")]
    assert until(looks, api, monkeypatch, changed=True) == "after"


def test_what_stays_ready_was_no_restart(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_SETTLING_SECONDS", 0.05)
    assert until([look(True, "reloaded")] * 10**6, api, monkeypatch, changed=True) == "reloaded"
