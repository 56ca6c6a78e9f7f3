"""Looks at the page of `demo --web` in Chromium, while the demo is kept running.

    demo_page.py WEB whole|broken
"""

import sys

from playwright.sync_api import expect

from browser import Seen, chromium
from page import accessible

# What does not come in this time will not come.
PATIENCE = 600_000


def look(browser, web, health):
    address = f"http://127.0.0.1:{web}/"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    seen = Seen(page)
    page.goto(address)

    # The order comes by itself, and is judged.
    entry = page.locator(f"#list > li[data-health={health}]").first
    entry.wait_for()
    entry.locator("a").click()
    page.locator(f"#passage .health.{health}").wait_for()
    legend = page.locator("#passage header .service")
    assert legend.count() >= 2, page.inner_text("#passage")
    assert page.locator("#passage .r").count() > 3

    gap = page.locator("#passage .r.gap:not(.calm)")
    if health == "broken":
        gap.wait_for()
        assert "extract" in gap.inner_text()
        assert page.inner_text("#passage .stations .broken").startswith("✗")
        expect(page.locator("#verdict")).to_contain_text("broken")
        page.locator("#passage .fixes button.copy").first.wait_for()
    else:
        assert gap.count() == 0
        assert page.locator("#passage .stations .broken").count() == 0
        assert page.locator("#findings article.error").count() == 0

    # The demo's own broker is watched, and what handed over to whom is drawn.
    page.locator("#queues tbody tr").first.wait_for()
    page.locator("#map svg").wait_for()
    accessible(page, f"the demo, {health}")
    assert not seen.said, seen.said
    foreign = [url for url in seen.asked if not url.startswith(address)]
    assert not foreign, foreign
    context.close()


def main():
    web, health = sys.argv[1:3]
    expect.set_options(timeout=PATIENCE)
    with chromium() as browser:
        look(browser, web, health)


if __name__ == "__main__":
    main()
