"""What OpenTofu says when it fails, as one sentence with what to do about it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgha.config.problems import UserError

_SHOWN = 300
_AWAY = re.compile(
    r"connection refused|connection reset|connect: no route|i/o timeout|unexpected EOF|\bEOF\b|TLS handshake timeout"
    r"|http2: client connection lost|server is currently unable|was refused - did you specify"
)

_WEBHOOK = re.compile(r"failed calling webhook")


class TofuError(UserError):
    """OpenTofu failed. `diagnostics` are its errors."""

    def __init__(self, what: str, remedy: str, diagnostics: Sequence["Diagnostic"] = ()) -> None:
        super().__init__(what, remedy)
        self.diagnostics = list(diagnostics)


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """An error or a warning: its title, its text, and the address that it is about where it names one."""

    summary: str
    detail: str = ""
    address: str = ""
    is_error: bool = True

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Diagnostic":
        """From a line of `tofu … -json`."""
        found = event["diagnostic"]
        return cls(
            summary=found["summary"],
            detail=found.get("detail", ""),
            address=found.get("address", ""),
            is_error=found["severity"] == "error",
        )

    @classmethod
    def from_text(cls, text: str) -> "Diagnostic":
        """The first error in what OpenTofu prints for people."""
        lines = [line.strip(" │╷╵") for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
        for number, line in enumerate(lines):
            if line.startswith("Error: "):
                return cls(summary=line.removeprefix("Error: "), detail="\n".join(lines[number + 1 :]))
        return cls(summary=next((line for line in reversed(lines) if line), "it wrote nothing"))

    def event(self) -> dict[str, Any]:
        """As a line of `-json` would say it."""
        found = {"severity": "error", "summary": self.summary, "detail": self.detail}
        return {"type": "diagnostic", "diagnostic": found}

    @property
    def sentence(self) -> str:
        """Title and the beginning of the text, on one line."""
        body = " ".join(self.detail.split())
        if len(body) > _SHOWN:
            body = body[:_SHOWN].rstrip(" ,") + "…"
        return f"{self.summary}: {body}" if body and not self.summary.endswith(body) else self.summary

    @property
    def is_lock(self) -> bool:
        """Whether another OpenTofu holds the state."""
        return self.summary.startswith("Error acquiring the state lock")

    @property
    def api_is_away(self) -> bool:
        """Whether it is about an API server that did not answer."""
        return bool(_AWAY.search(f"{self.summary} {self.detail}"))


def complaint(command: str, errors: Sequence[Diagnostic], folder: Path) -> TofuError:
    """The errors as one sentence; what is known to need something else than mending has its own remedy."""
    first = errors[0] if errors else Diagnostic(summary="it ended without a word")
    locked = next((one for one in errors if one.is_lock), None)
    if locked is not None:
        return TofuError(*_locked(locked, folder), errors)
    if first.summary == "Saved plan is stale":
        return TofuError(
            "the state has changed since this plan was made", f"make a new one: pgha plan {folder.name}", errors
        )
    if any("errored.tfstate" in one.detail for one in errors):
        return TofuError(
            f"tofu {command} could not write its state; it lies in {folder / 'errored.tfstate'}",
            "make the backend answer and run the same command again: it hands that state over first",
            errors,
        )
    webhook = next((one for one in errors if _WEBHOOK.search(one.detail or one.summary)), None)
    if webhook is not None:
        return TofuError(
            f"the API server could not ask an operator's webhook: {webhook.sentence}",
            "wait until that operator runs, then run it again; what was done is in the state",
            errors,
        )
    away = next((one for one in errors if one.api_is_away), None)
    if away is not None:
        return TofuError(
            f"the API server went away during tofu {command}: {away.sentence}",
            "make it answer and run it again; what was done is in the state, and the next run goes on from there",
            errors,
        )
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    about = f" on {first.address}" if first.address else ""
    remedy = "mend that and run it again; what was done is in the state"
    return TofuError(f"tofu {command} failed{about}: {first.sentence}{more}", remedy, errors)


def _locked(found: Diagnostic, folder: Path) -> tuple[str, str]:
    facts = {
        key: match.group(1).strip()
        for key in ("ID", "Who", "Created", "Operation")
        if (match := re.search(rf"^\s*{key}:\s*(\S.*)$", found.detail, re.MULTILINE))
    }
    who = f" ({facts['Who']} since {facts.get('Created', '?')})" if "Who" in facts else ""
    unlock = f"tofu force-unlock {facts.get('ID', 'ID')}"
    return (
        f"another OpenTofu works on the state of stack {folder.name}{who}",
        f"wait until it is done; if it died and left its lock: cd {folder} && {unlock}",
    )
