"""Asking an API server that may be away for a moment: what is waited for takes minutes, and goes on without us."""

import time
from collections.abc import Callable
from typing import TypeVar

from pgha.delivery.kubernetes import ApiError

T = TypeVar("T")

_AWAY_SECONDS = 90.0  # a control plane's node that restarts is back within this


class Patience:
    """Bears a server that does not answer, for a while at a time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since: float | None = None

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, or None for one that is to be asked for again.

        Raises:
            ApiError: Asking again is of no use, or was not for too long.
        """
        try:
            answer = question()
        except ApiError as error:
            now = time.monotonic()
            self._since = self._since or now
            if error.is_final or now - self._since > _AWAY_SECONDS:
                raise
            self._say(error.what)
            return None
        self._since = None
        return answer
