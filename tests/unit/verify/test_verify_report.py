"""The report: its shape, its XML, and its page in a real browser."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pgha.config.problems import UserError
from pgha.verify.readings import Missing, unread
from pgha.verify.registry import checks, judge
from pgha.verify.report import files
from pgha.verify.report.junit import junit
from pgha.verify.report.page import page
from pgha.verify.running import Report
from tests.support import ROOT
from tests.unit.verify.whole_cluster import Readings, charted, operated, readings

SCHEMA = json.loads((ROOT / "docs/reference/report.schema.json").read_text())
HOSTILE = "<script>alert('x')</script> & \"quoted\" \x00\x1b[31m"


def report(change: Callable[[Readings], None] = lambda _: None, *, bitnami: bool = False) -> Report:
    cluster = charted() if bitnami else operated()
    found = readings(cluster)
    change(found)
    results = [judge(each, cluster, found) for each in checks()]
    at = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
    return Report(cluster=cluster, at=at, seconds=12.34, results=results, readings=found)


def two_primaries(found: Readings) -> None:
    found["instances"]["db-2"]["in_recovery"] = False


def nobody_may_ask(found: Readings) -> None:
    found["instances"] = unread("this account may not create pods/exec")


def hostile(found: Readings) -> None:
    found["readiness"] = unread(HOSTILE)
    found["instances"]["db-2"] = {"error": HOSTILE}
    found["pod.connections"]["endpoints"][0] |= {"seconds": [], "answers": [], "errors": [{"error": HOSTILE}]}


def nothing_measured(found: Readings) -> None:
    for name in found:
        if name.startswith(("pod.", "lan.")) or name in {"pods", "services", "instances", "probes"}:
            found[name] = unread("it is away")


CASES = [lambda _: None, two_primaries, nobody_may_ask, hostile, nothing_measured]
NAMES = ["kept", "broken", "unread", "hostile", "nothing"]


@pytest.mark.parametrize(
    ("change", "bitnami"),
    [*((case, False) for case in CASES), (CASES[0], True), (nobody_may_ask, True), (nothing_measured, True)],
)
def test_facts_have_the_published_shape(change: Callable[[Readings], None], bitnami: bool) -> None:
    facts = report(change, bitnami=bitnami).facts()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json.dumps(facts)), SCHEMA)


def test_outcomes() -> None:
    assert report().outcome == "kept"
    broken = report(two_primaries)
    assert (broken.outcome, broken.broken[0].check.severity) == ("broken", "critical")
    assert "FR-005.primary" in [each.check.id for each in broken.broken]
    assert report(nobody_may_ask).outcome == "unknown"


def test_junit_counts_what_it_lists() -> None:
    facts = report(two_primaries).facts()
    suite = ElementTree.fromstring(junit(facts)).find("testsuite")
    assert suite is not None
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == len(facts["results"])
    for kind, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[key]) == len(suite.findall(f"testcase/{kind}"))
    failure = suite.find("testcase[@name='FR-005.primary Exactly one instance takes writes']/failure")
    assert failure is not None
    assert "db-1, db-2" in failure.attrib["message"]


def test_junit_can_be_read_whatever_a_server_wrote() -> None:
    ElementTree.fromstring(junit(report(hostile).facts()))


def test_page_begins_with_the_verdict_and_runs_nothing() -> None:
    text = page(report(two_primaries).facts())
    assert text.index("breaks") < text.index("Success criteria") < text.index("How long a statement takes")
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_page_shows_hostile_text_as_text() -> None:
    assert "<script" not in page(report(hostile).facts())


def test_files_replace_the_report_before(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert isinstance(files.before(folder), Missing)
    facts = report().facts()
    written = files.write(folder, facts)
    assert sorted(path.name for path in written) == ["index.html", "junit.xml", "report.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "junit.xml", "report.json"]
    assert files.before(folder) == json.loads(json.dumps(facts))
    (folder / "report.json").write_text("{")
    assert isinstance(files.before(folder), Missing)


def test_says_that_a_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        files.write(tmp_path / "file", report().facts())


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""


def browsed(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Headless, with the console on standard error, and no way to any network."""
    words = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={path.parent / 'profile'}", *options, path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


def console(log: str) -> list[str]:
    """What the page itself caused: script errors, refused resources, missing files."""
    return [line for line in log.splitlines() if "CONSOLE" in line or "net::ERR" in line]


@pytest.mark.parametrize(
    ("change", "width"),
    [*((case, 390) for case in CASES), (CASES[0], 1280)],
    ids=[*(f"{name} on a phone" for name in NAMES), "on a desk"],
)
def test_page_in_a_browser(change: Callable[[Readings], None], width: int, tmp_path: Path) -> None:
    """No error on the console, nothing wider than the window, every check on the page."""
    if not CHROMIUM:
        pytest.skip("NOT RUN, no chromium on this machine: apt-get install --no-install-recommends chromium")
    facts = report(change).facts()
    files.write(tmp_path, facts)
    measured = tmp_path / "measured.html"
    # The page may not run scripts; a frame around it asks how wide it is.
    frame = f"<iframe id=f src=index.html style='width:{width}px;height:900px;border:0'></iframe>"
    script = (
        "<script>f.onload=()=>{let d=f.contentDocument.documentElement;"
        "document.body.dataset.wide=d.scrollWidth;document.body.dataset.checks=d.querySelectorAll('details').length}</script>"
    )
    measured.write_text(f"<!doctype html><link rel=icon href='data:,'><body>{frame}{script}")
    seen = browsed(measured, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=3000")
    assert seen.returncode == 0, seen.stderr
    assert console(seen.stderr) == []
    body: dict[str, Any] = dict(
        word.split("=") for word in seen.stdout.split("<body")[1].split(">")[0].replace('"', "").split()
    )
    assert int(body["data-wide"]) <= width
    assert int(body["data-checks"]) == len(facts["results"])


def test_a_page_with_an_error_would_be_noticed(tmp_path: Path) -> None:
    """What the test above looks for does appear where there is something to see."""
    if not CHROMIUM:
        pytest.skip("NOT RUN, no chromium on this machine: apt-get install --no-install-recommends chromium")
    (tmp_path / "index.html").write_text("<!doctype html><script>console.error('boom')</script><img src=gone.png>")
    assert console(browsed(tmp_path / "index.html", "--dump-dom").stderr)


def test_page_can_be_printed(tmp_path: Path) -> None:
    if not CHROMIUM:
        pytest.skip("NOT RUN, no chromium on this machine: apt-get install --no-install-recommends chromium")
    files.write(tmp_path, report(two_primaries).facts())
    done = browsed(tmp_path / "index.html", f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
