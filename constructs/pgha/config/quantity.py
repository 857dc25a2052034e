"""Kubernetes quantities and IP ranges as numbers that can be compared."""

import re
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range

_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{0,9})?|\.\d{1,9})([KMGTPE]i|[munkMGTPE]|[eE][+-]?\d{1,2})?\Z", re.ASCII)
_FACTORS = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
}

MIB = Decimal(1024**2)
GIB = Decimal(1024**3)


def quantity(text: str | None) -> Decimal | None:
    """The number that a quantity such as `500m` or `2Gi` stands for; None where there is none or it is malformed."""
    match = _QUANTITY.match(text or "")
    if not match:
        return None
    number, suffix = match[1], match[2] or ""
    if suffix[:1] in {"e", "E"} and len(suffix) > 1:
        return Decimal(f"{number}{suffix}")
    return Decimal(number) * _FACTORS[suffix]


def binary(size: Decimal) -> str:
    """Bytes for people: `50Gi`, `512Mi`."""
    for factor, unit in ((GIB, "Gi"), (MIB, "Mi"), (Decimal(1024), "Ki")):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + unit
    return f"{size.normalize():f} bytes"


def address(text: str | None) -> IPv4Address | None:
    """An IPv4 address; None where there is none or it is malformed."""
    try:
        return IPv4Address(text or "")
    except ValueError:
        return None


def network(text: str) -> IPv4Network | None:
    """A CIDR without host bits; None where it is malformed."""
    try:
        return IPv4Network(text) if "/" in text else None
    except ValueError:
        return None


def span(text: str) -> tuple[IPv4Network, ...] | None:
    """A pool's range, `first-last` or a CIDR, as networks; None where it is malformed or reversed."""
    first, dash, last = text.partition("-")
    if not dash:
        cidr = network(text)
        return (cidr,) if cidr else None
    start, end = address(first.strip()), address(last.strip())
    if start is None or end is None or start > end:
        return None
    return tuple(summarize_address_range(start, end))


def spans(texts: list[str]) -> tuple[IPv4Network, ...]:
    """Every well-formed range of a pool, merged."""
    return tuple(collapse_addresses(part for text in texts for part in span(text) or ()))


def within(ip: IPv4Address, networks: tuple[IPv4Network, ...]) -> bool:
    """Whether one of the networks holds the address."""
    return any(ip in each for each in networks)


def overlap(one: tuple[IPv4Network, ...], other: tuple[IPv4Network, ...]) -> str | None:
    """The first addresses that both hold, for a message; None where they share none."""
    for left in one:
        for right in other:
            if left.overlaps(right):
                smaller = left if left.prefixlen >= right.prefixlen else right
                shared = smaller[0] if smaller.num_addresses == 1 else smaller
                return str(shared)
    return None
