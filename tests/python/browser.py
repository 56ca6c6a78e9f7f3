"""A headless Chromium that opens files, and notes all that a page should not do."""

import shutil
from contextlib import contextmanager

from playwright.sync_api import sync_playwright


@contextmanager
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "this test needs Chromium (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def until(page, expression):
    """Waits until it holds. Playwright's own way evaluates text in the page, which the
    page's policy forbids."""
    for _ in range(1_000):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(10)
    raise AssertionError(f"never: {expression}")


class Seen:
    """What a page said and asked for, of which there should be nothing."""

    def __init__(self, page):
        self.said, self.asked = [], []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))

    def nothing_but(self, *urls):
        assert not self.said, self.said
        others = [url for url in self.asked if url.split("#")[0].split("?")[0] not in urls]
        assert not others, others


@contextmanager
def opened(browser, path, fragment="", **options):
    """A page in a context of its own, once all of it was read."""
    options.setdefault("viewport", {"width": 1280, "height": 900})
    context = browser.new_context(**options)
    page = context.new_page()
    seen = Seen(page)
    page.goto(path.as_uri() + fragment)
    page.wait_for_selector("#whole", state="attached")
    if options.get("java_script_enabled", True):
        # The first passage is shown, or there is none.
        until(page, "document.querySelector('#passage').children.length || !document.querySelector('#list').children.length")
    yield page, seen
    seen.nothing_but(path.as_uri())
    context.close()
