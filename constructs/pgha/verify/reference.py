"""docs/reference/checks.md, written from the checks themselves: `python -m pgha.verify.reference`."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from pgha.verify.registry import Check, checks

PAGE = Path("docs/reference/checks.md")

_HEAD = """# Checks of `pgha verify`

Written by `python -m pgha.verify.reference`; a test proves it current. What the verdicts mean, and what they do not
prove: [what verify proves](../explanation/what-verify-proves.md). How to use it:
[verify a cluster](../how-to/verify-a-cluster.md). `report.json` has [a schema](report.schema.json).

`critical`: data or the service is at stake; `major`: a promise is broken; `minor`: it will be one day. Any of them ends
with exit code 1.

| Check | Severity | From | Promise |
|---|---|---|---|
"""
_PLACES = {"pod": "a pod", "lan": "the LAN", "api": "the API server", "files": "the files"}
_RIGHTS = {
    "instances": "create pods/exec (asked as the server's superuser, over its own socket; it only reads)",
    "loopback": "create pods/exec",
    "rows": "create pods/exec, and --write",
    "drift": "patch on every planned object (a dry run: nothing is changed)",
    "secrets": "get Secrets",
    "volumes": "list PersistentVolumes",
    "classes": "list StorageClasses",
}


def page() -> str:
    """The page as Markdown."""
    every = checks()
    rows = [
        f"| [{each.id}](#{_anchor(each)}) | {each.severity} | {_PLACES[each.vantage]} | {each.title} |"
        for each in every
    ]
    return _HEAD + "\n".join(rows) + "\n" + "".join(_section(each) for each in every)


def _anchor(each: Check) -> str:
    return each.id.lower().replace(".", "")


def _section(each: Check) -> str:
    doc = " ".join((inspect.getdoc(each.judge) or "").split())
    lines = [f"\n## {each.id}\n", f"**{each.title}.** {doc}\n", f"Source: {each.source}.\n"]
    rights = list(dict.fromkeys(_rights(each)))
    if rights:
        lines.append(f"Needs: {'; '.join(rights)}.\n")
    lines.append(f"If it fails: {each.remedy}.\n")
    return "\n".join(lines)


def _rights(each: Check) -> Iterator[str]:
    for need in each.needs:
        if need.startswith("pod."):
            yield "create Jobs and ConfigMaps in the cluster's namespace"
        elif need.startswith("lan."):
            yield "get Secrets"
        elif need in _RIGHTS:
            yield _RIGHTS[need]


if __name__ == "__main__":
    PAGE.write_text(page())
