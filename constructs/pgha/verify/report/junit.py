"""JUnit XML for CI: a case for each check; what could not be read is an error, what was not measured is skipped."""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring


def junit(facts: dict[str, Any]) -> str:
    """The XML of one run's facts (docs/reference/report.schema.json)."""
    results = facts["results"]
    numbers = {
        "tests": str(len(results)),
        "failures": str(sum(each["status"] == "failed" for each in results)),
        "errors": str(sum(each["unread"] for each in results)),
        "skipped": str(sum(each["status"].startswith("not ") and not each["unread"] for each in results)),
        "time": str(facts["seconds"]),
    }
    root = Element("testsuites", {"name": "pgha verify", **numbers})
    suite = SubElement(root, "testsuite", {"name": facts["cluster"], "timestamp": facts["at"], **numbers})
    for each in results:
        called = {"classname": f"{facts['cluster']}.{each['criterion']}", "name": f"{each['id']} {each['title']}"}
        _outcome(SubElement(suite, "testcase", called), each)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _outcome(case: Element, each: dict[str, Any]) -> None:
    said = "\n".join(_printable(line) for line in each["evidence"])
    if each["status"] == "failed":
        entry = SubElement(case, "failure", {"message": _printable(each["evidence"][0]), "type": each["severity"]})
        entry.text = f"{said}\nWhat to do: {_printable(each['remedy'])}\nSource: {each['source']}"
    elif each["unread"]:
        SubElement(case, "error", {"message": said, "type": "unread"})
    elif each["status"].startswith("not "):
        SubElement(case, "skipped", {"message": f"{each['status']}: {said}"})
    else:
        SubElement(case, "system-out").text = said


def _printable(text: str) -> str:
    """What a server wrote, without the control characters that XML has no way to say."""
    return "".join(letter for letter in text if letter in "\t\n" or ord(letter) >= ord(" "))
