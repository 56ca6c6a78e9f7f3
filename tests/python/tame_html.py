"""Says what in pages of HTML could run, load or be obeyed that is not the page's own.

Reads one JSON object from standard input, `{name: html}`, and prints a complaint a line.
What the caller put in from outside has tags and attributes whose names begin with `evil`,
so that any that is parsed as such was not escaped.
"""

import json
import sys
from html.parser import HTMLParser

# What the page has no use for.
NO_TAGS = {"applet", "base", "embed", "frame", "iframe", "img", "link", "object", "style"}
# `mailto:` and the like are not among them.
OWN = ("/", "#")
DOCS = "https://"


class Page(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.name = name
        self.in_script = False
        self.complaints: list[str] = []

    def complain(self, what: str) -> None:
        self.complaints.append(f"{self.name}: {what} at line {self.getpos()[0]}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag.startswith("evil"):
            self.complain(f"<{tag}> from outside")
        is_style_sheet = tag == "link" and values.get("rel") == "stylesheet"
        if tag in NO_TAGS and not is_style_sheet:
            self.complain(f"<{tag}>")
        if tag == "script":
            self.in_script = True
            if not (values.get("src") or "").startswith("/assets/"):
                self.complain("a script that is no asset")
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.complain("a page that leads elsewhere by itself")
        for name, value in attrs:
            if name.startswith(("on", "evil")) or name in {"style", "srcdoc", "srcset", "ping", "formaction"}:
                self.complain(f"the attribute {name} of <{tag}>")
            if name in {"href", "src", "action", "xlink:href"}:
                value = value or ""
                is_own = value == "?all" or value.startswith(OWN) and not value.startswith("//")
                if not is_own and not (tag == "a" and value.startswith(DOCS) and "evil" not in value):
                    self.complain(f"{name}={value!r} of <{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script and data.strip():
            self.complain(f"an inline script: {data.strip()[:60]!r}")
        if any(ord(letter) < 32 and letter not in "\n\t" or 0x202A <= ord(letter) <= 0x202E for letter in data):
            self.complain(f"a character that acts: {data[:60]!r}")

    def handle_comment(self, data: str) -> None:
        if "evil" in data:
            self.complain("a comment from outside")


def main() -> None:
    pages = json.load(sys.stdin)
    tags = 0
    for name, html in pages.items():
        page = Page(name)
        page.feed(html)
        page.close()
        tags += html.count("<")
        print(*page.complaints, sep="\n", end="\n" if page.complaints else "")
    assert tags > 50, "there is nothing in these pages"


if __name__ == "__main__":
    main()
