"""Follows the page of `listen --web` in Chromium while spans come in, and past its end.

    live_page.py WEB HTTP PID HEALTHY BROKEN

WEB and HTTP are ports of a tracelink with the process id PID; HEALTHY and BROKEN are files
of OTLP/JSON, a request a line.
"""

import os
import signal
import socket
import sys
import urllib.request

from playwright.sync_api import expect

from browser import Seen, chromium


def post(port, path):
    for line in open(path, encoding="utf-8"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/traces", line.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


def wait_until_gone(port):
    """Until nobody listens there any more."""
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) != 0:
                return


def follow(browser, web, http, pid, healthy, broken):
    address = f"http://127.0.0.1:{web}/"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address.rstrip("/"))
    page = context.new_page()
    seen = Seen(page)
    answers = []
    page.on("response", lambda answer: answers.append((answer.status, answer.url)))
    page.goto(address)
    assert page.locator("#list > li").count() == 0
    # It is gone once the page is loaded again.
    page.evaluate("window.isTheSame = true")

    # A healthy order, and then a broken one, come by themselves.
    post(http, healthy)
    whole = page.locator("#list > li[data-health=whole]")
    whole.first.wait_for()
    post(http, broken)
    entry = page.locator("#list > li[data-health=broken]")
    entry.first.wait_for()
    # The policy of the page keeps Playwright from waiting for a script of ours.
    expect(page.locator("#verdict")).to_contain_text("broken")
    assert page.locator("#list > li").first.get_attribute("data-health") == "broken", "the newest is on top"

    # The stitched view shows the gap at its station, between two traces.
    entry.first.locator("a").click()
    page.locator("#passage .r.gap:not(.calm)").wait_for()
    assert "extract" in page.inner_text("#passage .r.gap:not(.calm)")
    assert page.inner_text("#passage .stations .broken").startswith("✗")

    # The fix can be copied.
    page.locator("#passage .fixes button.copy").first.click()
    page.locator("#passage button.copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied in page.inner_text("#passage .fixes"), copied

    # A link leads to the passage, in a page of its own.
    other = context.new_page()
    other.goto(page.url)
    other.locator("#passage .r.gap:not(.calm)").wait_for()
    other.close()

    # The session ends, and the page stays what it is.
    os.kill(pid, signal.SIGINT)
    expect(page.locator("#connection")).to_contain_text("ended")
    wait_until_gone(web)
    whole.first.locator("a").click()
    expect(page.locator("#passage .health")).to_contain_text("whole")
    assert page.locator("#passage .r").count() > 3, page.inner_text("#passage")
    assert page.evaluate("window.isTheSame"), "it was loaded again"
    assert not seen.said, seen.said
    foreign = [url for url in seen.asked if not url.startswith(address)]
    refused = [answer for answer in answers if answer[0] != 200]
    assert not foreign and not refused, (foreign, refused)
    context.close()


def main():
    web, http, pid = (int(word) for word in sys.argv[1:4])
    with chromium() as browser:
        follow(browser, web, http, pid, *sys.argv[4:6])


if __name__ == "__main__":
    main()
