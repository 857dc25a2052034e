from collections.abc import Callable
from pathlib import Path

import pytest

from pgha.config import Problem, check

ROOT = Path(__file__).parents[3]


@pytest.fixture
def problems(tmp_path: Path) -> Callable[[str | bytes], list[Problem]]:
    """What is found in a file of this text."""

    def find(text: str | bytes) -> list[Problem]:
        path = tmp_path / "cluster.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(check([path])[0].problems)

    return find
