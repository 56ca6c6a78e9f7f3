"""Reads what tracelink wrote, as programs do that are not tracelink's.

    read_formats.py junit FOLDER SCHEMA      lxml, and the schema of Jenkins
    read_formats.py markdown FOLDER          GitHub's parser of Markdown, and lxml

Each file `hostile-N` has the hostile text N in every place. Whatever it is, the
document keeps the shape that it has with a harmless one (N = 0), and the reader sees
the text. Prints what was seen as JSON; a document that is not what it should be is an
error.
"""

import json
import sys
from pathlib import Path

from lxml import etree, html


def shape_of(element, left_out=()):
    """The tags below an element with the names of their attributes, in order."""
    for below in element.iter():
        if isinstance(below.tag, str) and below.tag not in left_out:
            yield below.tag, tuple(sorted(below.attrib))


def texts_of(element):
    for below in element.iter():
        yield from (below.text or "", below.tail or "", *below.attrib.values())


def junit(folder, schema):
    schema = etree.XMLSchema(etree.parse(schema))
    parser = etree.XMLParser(recover=False, resolve_entities=False, huge_tree=False)
    seen, shapes = {}, {}
    for path in files(folder):
        document = etree.parse(str(path), parser)
        assert schema.validate(document), f"{path.name}: {schema.error_log}"
        root = document.getroot()
        suites = root.findall("testsuite")
        names = ("tests", "failures", "errors", "skipped")
        seen[path.name] = {name: sum(int(suite.get(name)) for suite in suites) for name in names}
        tags = {"failures": "failure", "errors": "error", "skipped": "skipped", "tests": "testcase"}
        for name, tag in tags.items():
            assert len(root.findall(f".//{tag}")) == seen[path.name][name], f"{path.name}: {name}"
        keep(shapes, path, list(shape_of(root)), "".join(texts_of(root)))
    same(shapes)
    print(json.dumps(seen))


TAGS = set(
    "h3 h4 p strong code pre table thead tbody tr th td details summary sub ul li div html body".split()
)


def markdown(folder):
    import cmarkgfm
    from cmarkgfm.cmark import Options

    seen, shapes = {}, {}
    for path in files(folder):
        text = path.read_text(encoding="utf-8")
        rendered = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
        root = html.fromstring(f"<div>{rendered}</div>")
        tags = {below.tag for below in root.iter()}
        assert tags <= TAGS, f"{path.name}: {tags - TAGS}"
        for below in root.iter():
            wrong = set(below.attrib) - {"class", "align", "lang"}
            assert not wrong, f"{path.name}: {below.tag} {wrong}"
        # Outside of code GitHub makes links of these.
        prose = html.fromstring(f"<div>{rendered}</div>")
        etree.strip_elements(prose, "code", "pre", with_tail=False)
        for sign in ("@", "://", "www.", "#1"):
            assert sign not in prose.text_content(), f"{path.name}: {sign}"
        classes = {below.get("lang") or (below.get("class") or "").removeprefix("language-") for below in root.iter("pre", "code")}
        rows = root.findall(".//tbody/tr")
        seen[path.name] = {"languages": sorted(classes - {""}), "rows": len(rows)}
        # A word that could be more than a word is code, so code is no part of the shape.
        keep(shapes, path, list(shape_of(root, left_out={"code"})), root.text_content())
    same(shapes)
    print(json.dumps(seen))


def files(folder):
    return sorted(path for path in Path(folder).iterdir() if path.suffix != ".json")


def keep(shapes, path, shape, text):
    kind, _, number = path.name.rpartition("-")
    if not number.isdigit():
        return
    shown = json.loads((path.parent / "shown.json").read_text(encoding="utf-8"))[int(number)]
    # An error keeps its lines.
    is_torn = kind == "error" and "\\n" in shown
    assert is_torn or shown in text, f"{path.name}: {shown!r} is not to be read"
    shapes.setdefault(kind, {})[int(number)] = shape


# Longer texts may have no room.
SHORT = 29


def same(shapes):
    assert {"hostile", "hostile-queue", "error"} <= set(shapes), shapes.keys()
    for kind, by_number in shapes.items():
        for number in range(1, SHORT):
            assert by_number[number] == by_number[0], f"{kind}-{number} has another shape"


if __name__ == "__main__":
    {"junit": junit, "markdown": markdown}[sys.argv[1]](*sys.argv[2:])
