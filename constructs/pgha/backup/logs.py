"""Why a pod failed, from what its containers wrote last."""

import json

from pgha.delivery.kubernetes import Api, ApiError
from pgha.resources.metadata import Object

_LINES = 3


def last_errors(api: Api, pod: Object) -> str:
    """The last complaints in its logs, in one line; the operator's programs and Barman's log JSON, a line each."""
    meta, spec = pod["metadata"], pod["spec"]
    said: list[str] = []
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        try:
            log = api.log(meta["namespace"], meta["name"], container["name"])
        except ApiError:
            continue  # it never ran
        said += [text for text in map(_complaint, log.splitlines()) if text][-_LINES:]
    return "; ".join(dict.fromkeys(said)) or f"pod {meta['name']} failed and wrote no error"


def _complaint(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict):
        return ""
    words = str(entry.get("error") or entry.get("msg") or "")
    wrong = entry.get("level") == "error" or "ERROR" in words or "FATAL" in words
    return " ".join(words.split()) if wrong else ""
