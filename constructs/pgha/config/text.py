"""Values and paths as they are shown to people."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 60
_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|api_?key|access_?key|private_?key|conn_?str|conninfo", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")


def dns_label(identifier: str) -> str:
    """A PostgreSQL identifier as part of a Kubernetes name: `app_user` → `app-user`."""
    return re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-") or "x"


def join(parent: str, key: str | int) -> str:
    """`network.loadBalancer`, `users[1]`."""
    if isinstance(key, int):
        return f"{parent}[{key}]"
    return f"{parent}.{key}" if parent else key


def is_secret(key: str) -> bool:
    """Whether what stands under this key could be a password or its like, so that it is never shown.

    Keys that name a Secret are among them: people put the password itself there by mistake.
    """
    return bool(_SECRET.search(key))


def holds_userinfo(value: str) -> bool:
    """Whether a URL carries a user and a password."""
    return bool(_USERINFO.search(value))


def show(value: object) -> str:
    """A value for an error sentence: one line, short, printable, without passwords.

    What is inside a mapping or a list is not shown: it may hold anything.
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case int() | float():
            return str(value)
    text = _USERINFO.sub("…", str(value))
    if "-----BEGIN" in text:
        return "a private text"
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return text if text and text.isprintable() and text == text.strip() else json.dumps(text)


def printable(path: str) -> str:
    """A path without line breaks and the like, and not much longer than a line."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in path)
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN - 1]}…"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, whatever its case, if any is."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    every = list(words)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else "nothing"
