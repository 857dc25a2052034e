import re
from pathlib import Path

import pytest

from lab import cluster, preflight
from lab.steps import LabError


def refusal(nodes: int = 3) -> str:
    with pytest.raises(LabError) as caught:
        preflight.check(nodes)
    return str(caught.value)


def test_refuses_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.platform, "system", lambda: "Darwin")
    assert "it runs Darwin: nodes are Linux namespaces; use a Linux machine" in refusal()


def test_refuses_everybody_but_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    assert "run it again with sudo" in refusal()


def test_names_the_package_of_a_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "apt-get install apt coreutils mmdebstrap mount tar util-linux" in refusal()


def test_refuses_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "available_memory", lambda: preflight.GIB)
    monkeypatch.setattr(preflight.network, "existing", list)
    assert re.search(r"1\.0 GiB of memory are available, 3 nodes need 4\.2: .* fewer --nodes", refusal())


def test_refuses_too_little_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "HOME", tmp_path)
    monkeypatch.setattr(preflight, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(preflight, "DISK_COLD", 2**62)
    assert re.search(r"GiB of disk are free at .*LAB_HOME", refusal())


def test_refuses_while_the_lab_of_another_folder_holds_the_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    owner = tmp_path / "owner"
    owner.write_text("/elsewhere/.lab\n")
    monkeypatch.setattr(preflight, "OWNER", owner)
    monkeypatch.setattr(preflight.network, "existing", lambda: ["lab-lan"])
    assert "LAB_HOME=/elsewhere/.lab lab down" in refusal()


def test_takes_namespaces_that_nobody_claims_for_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preflight, "OWNER", tmp_path / "none")
    monkeypatch.setattr(preflight.network, "existing", lambda: ["lab-lan", "lab-n1"])
    assert "lab-lan, lab-n1 exist and no lab made them" in refusal()
    with pytest.raises(LabError, match="what runs here is not this lab"):
        cluster.down(everything=True)


def test_reports_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight, "available_memory", lambda: 0)
    monkeypatch.setattr(preflight.network, "existing", list)
    assert refusal().count("\n  - ") == 2
