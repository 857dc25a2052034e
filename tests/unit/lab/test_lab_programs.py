import re

import pytest

from lab import programs
from lab.home import TOOLS

NAMES = sorted(path.parent.name for path in TOOLS.glob("*/tool.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_tool_is_pinned(name: str) -> None:
    wanted = programs.tool(name)
    module = (wanted.source / "go.mod").read_text()
    assert (wanted.source / "go.sum").exists() == ("require" in module)
    assert wanted.programs or wanted.files
    assert not re.search(r"\blatest\b|\bmaster\b|\bmain\b", module)


@pytest.mark.parametrize("name", programs.FOR_A_CLUSTER)
def test_what_a_cluster_needs_is_there(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize(
    ("package", "expected"),
    [("k8s.io/kubernetes/cmd/kubelet", "kubelet"), ("go.etcd.io/etcd/server/v3", "server"), ("example.test/v", "v")],
)
def test_default_name_passes_major_versions_over(package: str, expected: str) -> None:
    assert programs._default_name(package) == expected


def test_cache_folder_follows_the_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = programs.tool("pause").folder
    assert before == programs.tool("pause").folder
    monkeypatch.setattr(programs, "go_version", lambda: "go9.9.9")
    assert programs.tool("pause").folder != before
