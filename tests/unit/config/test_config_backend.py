"""What a backend's own arguments may be called."""

import pytest

from pgha.config import ConfigError, load_text


def file(**config: str) -> bytes:
    inside = ", ".join(f"{key}: {value}" for key, value in config.items())
    return f"name: db\nbackend: {{ type: kubernetes, config: {{ {inside} }} }}\n".encode()


def test_the_suffix_of_a_secret_s_name_is_no_secret() -> None:
    """The documented way to keep the state in Kubernetes."""
    cluster = load_text(file(secret_suffix="db", namespace="tofu"), "db.yaml")
    assert cluster.backend.config == {"secret_suffix": "db", "namespace": "tofu"}


def test_a_switch_is_no_secret() -> None:
    """An S3 server that is not Amazon's needs this one."""
    cluster = load_text(file(skip_credentials_validation="true"), "db.yaml")
    assert cluster.backend.config == {"skip_credentials_validation": True}


def test_what_could_be_one_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="PGHA-E805") as refused:
        load_text(file(token="hunter2"), "db.yaml")
    assert "hunter2" not in str(refused.value)
