"""Reads pages of tracelink in Chromium, as a person does.

    page.py read FOLDER       the page of the one report: each thing that a reader does
    page.py hostile FOLDER    pages in which every text from outside is hostile
    page.py large FOLDER      a page with more than it has room for
    page.py everything FOLDER all passages of it, to be printed
    page.py heard FOLDER      prints the page of the one report as a screen reader has it
    page.py pictures FOLDER TARGET
"""

import json
import re
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from browser import chromium, opened, until

PHONE = {"width": 390, "height": 844}


def accessible(page, what):
    """Axe finds nothing serious."""
    found = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    places = [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in grave]
    assert not grave, f"{what}: {json.dumps(places, indent=1)}"


def visible(page, selector):
    return page.locator(selector).locator("visible=true")


def entries(page):
    return visible(page, "#list > li")


def brightness(page, selector):
    """Of the ground of an element, from 0 to 255."""
    colour = page.eval_on_selector(selector, "one => getComputedStyle(one).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3


def the_verdict_is_first_and_the_broken_passage_is_open(browser, path):
    with opened(browser, path) as (page, _):
        assert "broken" in page.inner_text("h1")
        assert page.locator("h1").bounding_box()["y"] < 200
        assert "propagator-mismatch" in page.inner_text("#verdict")
        assert "published, but no run was seen" in page.inner_text("#verdict .unproven")
        chosen = page.locator("#list a[aria-current]")
        assert chosen.count() == 1 and "extract" in chosen.inner_text() and "TL" in chosen.inner_text()
        stations = page.locator("#passage .stations li")
        assert stations.count() == 5
        assert page.inner_text("#passage .stations .broken").strip().endswith(": broken")
        assert page.locator("#loading").is_hidden()
        assert visible(page, "#map svg").count() == 1 and "✗" in page.text_content("#map svg")
        accessible(page, "light")


def what_is_unproven_is_said_with_the_command_that_settles_it(browser, path):
    with opened(browser, path) as (page, _):
        assert "unproven" in page.inner_text("h1")
        assert "--broker" in page.inner_text("#verdict .unproven pre")
        assert page.locator("#passage .r.gap.calm, #passage .r.gap").count() == 1
        accessible(page, "unproven")


def the_two_fragments_stand_on_one_axis_with_the_gap_between(browser, path):
    with opened(browser, path) as (page, _):
        gap = page.locator("#passage .r.gap:not(.calm)")
        assert gap.count() == 1 and "extract" in gap.inner_text()
        assert "gradient" in gap.evaluate("one => getComputedStyle(one).backgroundImage")
        above, below = gap.bounding_box()["y"], gap.bounding_box()["y"] + gap.bounding_box()["height"]
        rows = page.locator("#passage .r[class*=' s']").locator("visible=true")
        places = [rows.nth(number).bounding_box() for number in range(rows.count())]
        assert any(place["y"] < above for place in places) and any(place["y"] >= below - 1 for place in places)
        colours = {rows.nth(number).evaluate("row => getComputedStyle(row.querySelector('rect')).fill") for number in range(rows.count())}
        assert len(colours) >= 2, colours
        # The dashed line leads from the publishing span to the run without a hole.
        lines = page.eval_on_selector_all(
            "#passage .b line",
            "all => all.map(line => line.getBoundingClientRect()).map(({left, right, top, bottom}) => [left, right, top, bottom])",
        )
        assert len(lines) >= 4
        drawn = sorted((top, bottom) for left, right, top, bottom in lines if right - left < 1 and bottom > top)
        for (_, end), (start, _) in zip(drawn, drawn[1:]):
            assert start - end < 3, drawn
        # Bars that begin later stand further to the right.
        bars = page.eval_on_selector_all("#passage .r rect", "all => all.map(bar => parseFloat(bar.getAttribute('x')))")
        assert min(bars) == 0 and max(bars) > 0


def cause_evidence_fix_and_certainty_stand_below(browser, path):
    with opened(browser, path) as (page, _):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        said = page.locator("#passage .said").first
        for title in ("Evidence", "Fix", "How sure, and what would make it certain"):
            assert said.get_by_role("heading", name=re.compile(f"^{title}")).first.is_visible(), title
        fix = said.locator(".fixes .block").first
        fix.get_by_role("button").click()
        page.wait_for_selector("#passage button.copied")
        line = fix.locator("code").text_content()
        assert "B3MultiFormat()" in line
        assert page.evaluate("navigator.clipboard.readText()") == line
        page.evaluate("navigator.clipboard.writeText('')")
        page.keyboard.press("c")
        until(page, "navigator.clipboard.readText().then(text => text.includes('B3MultiFormat()'))")


def wrong_characters_are_marked(browser, path):
    with opened(browser, path) as (page, _):
        mark = page.locator("#passage mark").first
        assert mark.is_visible() and mark.text_content()
        assert page.locator("#passage mark").first.evaluate("one => getComputedStyle(one).borderBottomStyle") == "solid"


def the_list_is_searched_and_filtered(browser, path):
    with opened(browser, path) as (page, _):
        everything = entries(page).count()
        assert everything >= 4
        page.keyboard.press("/")
        page.keyboard.type("no such thing")
        assert entries(page).count() == 0
        assert page.inner_text("#shown") == f"0 of {everything} passages"
        page.fill("#search", page.locator("#list > li").last.get_attribute("data-ids").split(" ")[0])
        assert entries(page).count() == 1
        page.fill("#search", "")
        page.check("#broken-only")
        healths = entries(page).evaluate_all("all => all.map(one => one.dataset.health)")
        assert healths and set(healths) <= {"broken", "damaged"} and len(healths) < everything
        page.uncheck("#broken-only")
        for kind in ("service", "task"):
            options = page.locator(f"#{kind} option").evaluate_all("all => all.map(one => one.value)")
            assert len(options) > 1, kind
            page.select_option(f"#{kind}", options[1])
            assert 0 < entries(page).count() <= everything
            assert all(options[1] in text for text in entries(page).evaluate_all(f"all => all.map(one => one.dataset.{kind} ?? one.dataset.{kind}s)"))
            page.select_option(f"#{kind}", "")
        assert entries(page).count() == everything


def keys_move_open_and_help(browser, path):
    with opened(browser, path) as (page, _):
        before = page.locator("#list a[aria-current]").get_attribute("href")
        page.focus("#list a[tabindex='0']")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        focused = page.evaluate("document.activeElement.getAttribute('href')")
        assert focused == page.locator("#list a").nth(1).get_attribute("href")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        last = page.locator("#list a").last.get_attribute("href")
        until(page, f"document.querySelector('#list a[aria-current]').getAttribute('href') === '{last}'")
        assert last != before and page.url.endswith(last)
        until(page, "document.activeElement.id === 'passage'")
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        accessible(page, "keys")
        page.keyboard.press("Escape")
        assert page.locator("#help").is_hidden()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "search"
        page.keyboard.type("c?")
        assert page.input_value("#search") == "c?"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") != "search"
        # One stop of the tab key for the whole list.
        assert page.locator("#list a[tabindex='0']").count() == 1


def everything_has_an_address(browser, path):
    with opened(browser, path) as (page, _):
        findings = page.eval_on_selector_all(".finding[id]", "all => all.map(one => one.id)")
        trace = page.locator("#list > li").last.get_attribute("data-traces").split(" ")[0]
        last = page.locator("#list > li").last.get_attribute("data-id")
    assert len(findings) >= 3 and all(one.startswith("finding-") for one in findings)
    with opened(browser, path, "#" + findings[1]) as (page, _):
        one = page.locator(f"[id='{findings[1]}']")
        assert one.locator(".body").is_visible()
        assert one.bounding_box()["y"] < 900
        example = one.locator(".example").get_attribute("data-passage")
        until(page, f"document.querySelector('#passage article')?.dataset.id === '{example}'")
    with opened(browser, path, "#trace-" + trace) as (page, _):
        until(page, f"document.querySelector('#passage article')?.dataset.id === '{last}'")
        assert trace in page.inner_text("#passage")


def it_is_dark_where_the_reader_wants_it(browser, path):
    with opened(browser, path, color_scheme="light") as (page, _):
        assert brightness(page, "body") > 200
    with opened(browser, path, color_scheme="dark") as (page, _):
        assert brightness(page, "body") < 60
        accessible(page, "dark")
        page.locator(".finding summary").first.click()
        accessible(page, "dark, with a finding")


def nothing_moves_for_whoever_wants_it_still(browser, path):
    with opened(browser, path, reduced_motion="reduce") as (page, _):
        page.eval_on_selector("#list > li", "one => one.classList.add('new')")
        assert page.eval_on_selector("#list > li", "one => getComputedStyle(one).animationName") == "none"


def it_fits_a_phone(browser, path):
    with opened(browser, path, viewport=PHONE, has_touch=True) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for details in page.locator("details").all():
            details.evaluate("one => one.open = true")
        page.locator("#list a").nth(1).tap()
        until(page, "document.activeElement.id === 'passage'")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert visible(page, "#passage .r rect").count() >= 1
        accessible(page, "a phone's width")


def it_prints_whole(browser, path):
    with opened(browser, path, color_scheme="dark") as (page, _):
        page.emulate_media(media="print")
        assert page.locator("nav").is_hidden()
        assert brightness(page, "body") == 255
        shown = visible(page, ".finding .example .r.gap").count()
        assert shown >= 1
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        assert visible(page, "#findings .fixes pre").count() >= 1
        assert page.locator("button.copy").locator("visible=true").count() == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".finding > details:not([open])").count() >= 1
        assert len(page.pdf(format="A4", print_background=True)) > 10_000


def without_a_script_the_findings_are_drawn(browser, path):
    with opened(browser, path, java_script_enabled=False) as (page, _):
        assert "broken" in page.inner_text("h1")
        assert page.locator("#loading").is_hidden() and page.locator("#filters").is_hidden()
        assert visible(page, ".finding .example .r.gap").count() >= 1
        assert visible(page, ".finding .fixes pre").count() >= 1
        assert visible(page, "button.copy").count() == 0
        assert page.evaluate("1") == 1


def queues_and_their_messages_are_shown(browser, path):
    with opened(browser, path) as (page, _):
        assert visible(page, "#queues tbody tr").count() >= 1
        assert visible(page, "#messages tbody tr").count() >= 1
        accessible(page, "queues")


def read(folder):
    folder = Path(folder)
    golden = folder / "golden.html"
    with chromium() as browser:
        for check in (
            the_verdict_is_first_and_the_broken_passage_is_open,
            the_two_fragments_stand_on_one_axis_with_the_gap_between,
            cause_evidence_fix_and_certainty_stand_below,
            the_list_is_searched_and_filtered,
            keys_move_open_and_help,
            everything_has_an_address,
            it_is_dark_where_the_reader_wants_it,
            nothing_moves_for_whoever_wants_it_still,
            it_fits_a_phone,
            it_prints_whole,
            without_a_script_the_findings_are_drawn,
        ):
            named(check, browser, golden)
        named(what_is_unproven_is_said_with_the_command_that_settles_it, browser, folder / "unproven.html")
        named(wrong_characters_are_marked, browser, folder / "marked.html")
        named(queues_and_their_messages_are_shown, browser, folder / "queue.html")
        for name in ("empty", "error"):
            with opened(browser, folder / f"{name}.html") as (page, _):
                accessible(page, name)


def named(check, browser, path):
    try:
        check(browser, path)
    except Exception as error:
        raise AssertionError(f"{check.__name__.replace('_', ' ')}: {path.name}: {error}") from error


SHAPE = """() => {
  const shape = new Set();
  for (const one of document.querySelectorAll('*'))
    shape.add(one.localName + ' ' + one.getAttributeNames().sort().join(' '));
  return [...shape];
}"""


def hostile(folder):
    """Whatever a text is, the page has no other elements than with a harmless one, and
    does nothing else."""
    folder = Path(folder)
    shown = json.loads((folder / "shown.json").read_text())
    known = None
    with chromium() as browser:
        for number, text in enumerate(shown):
            path = folder / f"hostile-{number}.html"
            with opened(browser, path) as (page, _):
                shape = set(page.evaluate(SHAPE))
                # Long names have a title; a text may be empty, or have code in it.
                plain = {re.sub(r" title\b", "", one) for one in shape if one not in ("code ", "a href title")}
                known = known or plain
                assert plain <= known, f"{text!r}: {sorted(plain - known)}"
                if text.strip():
                    assert text.strip() in page.locator("#findings").text_content(), text
                assert page.evaluate("document.documentElement.scrollWidth") <= 1280, text
    assert len(shown) > 20


def large(folder):
    """What finds no room is said."""
    path = Path(folder) / "large.html"
    with chromium() as browser, opened(browser, path) as (page, _):
        assert "without their spans" in page.inner_text("#status")
        counted = page.locator("script[type='text/html']").count()
        total = page.locator("#list > li").count()
        assert 0 < counted < total
        for _ in range(2):
            page.focus("#list a[tabindex='0']")
            page.keyboard.press("End")
            page.keyboard.press("Enter")
        missing = page.evaluate(
            "[...document.querySelectorAll('#list > li')].find(one => !document.getElementById('detail-' + one.dataset.id)).dataset.id"
        )
        page.evaluate(f"location.hash = 'passage-{missing}'")
        until(page, "document.querySelector('#passage').textContent.includes('no room')")
    path = Path(folder) / "deep.html"
    with chromium() as browser, opened(browser, path) as (page, _):
        page.check("input.unfold") if page.locator("input.unfold").count() else None
        assert page.locator("#passage .r[class*=' s']").count() == 10_000
        last = page.locator("#passage .r").last
        last.scroll_into_view_if_needed()
        assert last.is_visible()


def everything(folder):
    """All passages can be printed, and what finds no room is said."""
    folder = Path(folder)
    drawn = "document.querySelector('#everything')?.hidden === false"
    spans = "#everything .r[class*=' s']"
    with chromium() as browser:
        with opened(browser, folder / "some.html", "?all", color_scheme="dark") as (page, _):
            until(page, drawn)
            accessible(page, "everything")
            assert page.locator("#everything article.passage").count() == page.locator("#list > li").count() == 60
            assert page.locator("#everything > .left-out").count() == 0
            page.emulate_media(media="print")
            accessible(page, "everything, on paper")
            assert page.locator("#passage").is_hidden()
            assert page.locator(spans).count() == 1_200
            hidden = page.eval_on_selector_all(spans, "all => all.filter(one => !one.checkVisibility()).length")
            assert hidden == 0, hidden
            # Thirty-odd rows and a heading fill a page.
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) > 15
            page.emulate_media(media="screen")
            page.click("#all")
            until(page, "location.search === '' && document.querySelector('#everything')?.hidden === true")
        with opened(browser, folder / "some.html") as (page, _):
            page.emulate_media(media="print")
            assert page.locator("#everything").is_hidden() and page.locator("#passage").is_visible()
        with opened(browser, folder / "large.html", "?all") as (page, _):
            until(page, drawn)
            shown, listed = page.locator("#everything article.passage").count(), page.locator("#list > li").count()
            assert 0 < shown < listed
            assert page.inner_text("#everything > .left-out").startswith(f"{listed - shown} more ")


def heard(folder):
    with chromium() as browser, opened(browser, Path(folder) / "golden.html") as (page, _):
        print(page.locator("body").aria_snapshot())


def pictures(folder, target):
    folder, target = Path(folder), Path(target)
    with chromium() as browser:
        for name, scheme in (("page", "light"), ("page-dark", "dark")):
            size = {"width": 1120, "height": 700}
            with opened(browser, folder / "golden.html", color_scheme=scheme, viewport=size) as (page, _):
                path = target / f"{name}.png"
                page.screenshot(path=path)
                # With few colours it takes a third of the bytes.
                Image.open(path).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
