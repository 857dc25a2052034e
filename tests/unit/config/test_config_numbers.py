"""Quantities, ranges and PostgreSQL's parameters."""

from decimal import Decimal
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgha.config.parameters import GONE, MAJORS, fixed, parameters
from pgha.config.quantity import binary, overlap, quantity, span


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50Gi", 50 * 1024**3),
        ("50G", 50 * 10**9),
        ("500m", Decimal("0.5")),
        ("2", 2),
        ("1.5", Decimal("1.5")),
        ("1e3", 1000),
        (".5Gi", 512 * 1024**2),
        ("1E", 10**18),
    ],
)
def test_reads_quantities_as_kubernetes_does(text: str, number: Decimal) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "50GB", "50 Gi", "Gi", "-1", "NaN", "50gi", "1e", "\u0661", "9" * 40, None])
def test_refuses_what_kubernetes_refuses(text: str | None) -> None:
    assert quantity(text) is None


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_not(text: str) -> None:
    assert quantity(text) is None or quantity(text) >= 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("number", "text"), [(50 * 1024**3, "50Gi"), (528 * 1024**2, "528Mi"), (1536, "1.5Ki"), (5, "5 bytes")]
)
def test_shows_bytes_to_people(number: int, text: str) -> None:
    assert binary(Decimal(number)) == text


def test_a_range_becomes_networks() -> None:
    assert span("192.168.1.0-192.168.1.3") == (IPv4Network("192.168.1.0/30"),)
    assert span("192.168.1.4 - 192.168.1.4") == (IPv4Network("192.168.1.4/32"),)


@pytest.mark.parametrize(
    "text", ["", "-", "10.0.0.2-10.0.0.1", "10.0.0.1/24", "10.0.0.1", "fd00::1-fd00::2", "10.0.0.0/33"]
)
def test_a_malformed_range_is_none(text: str) -> None:
    assert span(text) is None


def test_overlap_names_what_is_shared() -> None:
    one, other = (IPv4Network("10.0.0.0/24"),), (IPv4Network("10.0.0.8/32"),)
    assert overlap(one, other) == overlap(other, one) == "10.0.0.8"
    assert overlap(one, (IPv4Network("10.0.1.0/24"),)) is None


@pytest.mark.parametrize("major", MAJORS)
def test_every_major_knows_the_parameters_of_the_seed(major: str) -> None:
    known = parameters(major)
    assert len(known) > 300
    seed = {"max_connections", "shared_buffers", "effective_cache_size", "work_mem", "wal_buffers"}
    seed |= {"maintenance_work_mem", "max_wal_size", "checkpoint_timeout", "checkpoint_completion_target"}
    assert seed <= set(known)
    assert "checkpoint_segments" not in known


def test_what_is_called_gone_is_gone() -> None:
    for name, (since, _) in GONE.items():
        for major in MAJORS:
            assert (name in parameters(major)) == (int(major) < float(since)), (name, major)


def test_an_unknown_major_knows_nothing() -> None:
    assert parameters("99") == parameters("x") == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("work_mem", "8MB"),
        ("work_mem", "8192"),
        ("work_mem", "0.5GB"),
        ("checkpoint_timeout", "5min"),
        ("checkpoint_completion_target", "0.9"),
        ("fsync", "on"),
        ("fsync", "TRUE"),
        ("wal_level", "Logical"),
        ("huge_pages", "off"),
        ("huge_pages", "try"),
        ("log_min_messages", "debug"),
        ("wal_compression", "zstd"),
        ("search_path", "anything at all"),
        ("wal_buffers", "-1"),
    ],
)
def test_accepts_what_postgresql_accepts(name: str, text: str) -> None:
    assert parameters("16")[name].fault(text) is None


@pytest.mark.parametrize(
    ("name", "text", "must"),
    [
        ("work_mem", "8Mi", "be a number, alone (kB) or with kB, MB, GB"),
        ("work_mem", "8mb", "be a number, alone (kB) or with kB, MB, GB"),
        ("work_mem", "1kB", "lie between 64 and 2147483647 (of kB)"),
        ("checkpoint_timeout", "5MB", "be a number, alone (s) or with ms, s, min, h, d"),
        ("checkpoint_timeout", "2d", "lie between 30 and 86400 (of s)"),
        ("max_connections", "many", "be a number"),
        ("max_connections", "10MB", "be a number"),
        ("fsync", "perhaps", "be on or off"),
        ("wal_level", "most", "be one of minimal, replica, logical"),
        ("max_connections", "nan", "be a number"),
    ],
)
def test_says_what_postgresql_wants(name: str, text: str, must: str) -> None:
    assert parameters("16")[name].fault(text) == must


def test_bytes_of_a_parameter() -> None:
    assert parameters("16")["shared_buffers"].bytes("16384") == 128 * 1024**2
    assert parameters("16")["max_wal_size"].bytes("1GB") == 1024**3


@pytest.mark.parametrize("engine", ["cloudnative-pg", "bitnami"])
def test_fixed_parameters_are_real_ones(engine: str) -> None:
    real = {name for major in MAJORS for name in parameters(major)}
    strange = {name for name in fixed(engine) if name not in real and not name.startswith("pg_failover_slots.")}
    assert strange <= {"bonjour_name", "syslog_ident"}


def test_any_size_can_be_shown() -> None:
    """Found by `make fuzz`: 3.4e38 pages of shared_buffers."""
    assert binary(Decimal("3.402823466e+38") * 8192).endswith("Gi")
    assert [binary(Decimal(size)) for size in (1536, 1024, 10, 1024**3 * 50)] == ["1.5Ki", "1Ki", "10 bytes", "50Gi"]
