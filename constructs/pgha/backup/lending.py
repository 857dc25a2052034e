"""Secrets that a person made for one cluster, given to the cluster that is made from its backups."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.resources.metadata import Object, metadata

_POLL_SECONDS = 1.0


def lend(api: Api, owner: Cluster, borrower: Cluster, names: Mapping[str, tuple[str, ...]]) -> None:
    """Copy these Secrets into the borrower's namespace, with the keys that are needed and no more.

    One that is there already is the user's, and stays.

    Raises:
        UserError: The owner's namespace has no such Secret.
    """
    for name, keys in names.items():
        if api.read("v1", "Secret", borrower.namespace, name) is None:
            api.apply(_copy(api, owner, borrower, name, keys))


@contextmanager
def lending(
    connect: Callable[[], Api], owner: Cluster, borrower: Cluster, names: Mapping[str, tuple[str, ...]]
) -> Iterator[None]:
    """Do so as soon as the namespace is there, while something else makes it.

    Whoever applies a stack as one whole leaves no gap between a namespace and what needs its Secrets.
    """
    ended = threading.Event()

    def run() -> None:
        api = connect()
        while not ended.wait(_POLL_SECONDS):
            try:
                if api.read("v1", "Namespace", None, borrower.namespace) is not None:
                    lend(api, owner, borrower, names)
                    return
            except ApiError:
                continue  # an API server that is away for a moment
            except UserError:
                return  # whoever waits for the cluster says which Secret it lacks

    lender = threading.Thread(target=run, name="lending", daemon=True)
    lender.start()
    try:
        yield
    finally:
        ended.set()
        lender.join()


def _copy(api: Api, owner: Cluster, borrower: Cluster, name: str, keys: tuple[str, ...]) -> Object:
    data = (api.read("v1", "Secret", owner.namespace, name) or {}).get("data") or {}
    lacking = [key for key in keys if key not in data]
    if lacking:
        raise UserError(f"Secret {owner.namespace}/{name} has no {', '.join(lacking)}", "make it, then run it again")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(borrower, name),
        "type": "Opaque",
        "data": {key: data[key] for key in keys},
    }
