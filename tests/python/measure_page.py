"""Measures how pages of tracelink draw and scroll.

    measure_page.py FOLDER
"""

import sys
from pathlib import Path

from browser import chromium, opened, until

FIRST = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
READ = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
DRAWN = """async () => {
  const entry = document.querySelector('#list a');
  const pane = document.querySelector('#passage');
  pane.replaceChildren();
  const began = performance.now();
  entry.click();
  await new Promise((drawn) => new MutationObserver(drawn).observe(pane, {childList: true}));
  await new Promise((frame) => requestAnimationFrame(() => setTimeout(frame)));
  return performance.now() - began;
}"""
SCROLLED = """async () => {
  const times = [];
  let last = await new Promise(requestAnimationFrame);
  const end = document.documentElement.scrollHeight;
  for (let top = 0; top < end && times.length < 600; top += 600) {
    scrollTo(0, top);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times.sort((one, other) => one - other);
}"""


#: How often a page is opened for its first frame.
TIMES = 9
#: A page that has what the browser waits for, and nothing else: what Chromium needs by itself.
EMPTY = "<!doctype html><title>empty</title><p>nothing" + "".join(f"<i id={name}></i>" for name in ("list", "passage", "whole"))


def first_frames(browser, many, empty):
    """The usual times of the first frame and of the end, and of the first frame of an empty page.

    The pages are opened in turns, so that what else the machine does slows both.
    """
    times = []
    for _ in range(TIMES):
        with opened(browser, empty) as (page, _):
            until(page, FIRST + " !== null")
            bare = page.evaluate(FIRST)
        with opened(browser, many) as (page, _):
            until(page, FIRST + " !== null")
            times.append((page.evaluate(FIRST), page.evaluate(READ), bare))
    return [sorted(column)[TIMES // 2] for column in zip(*times)]


def main(folder):
    with chromium() as browser:
        empty = Path(folder) / "empty.html"
        empty.write_text(EMPTY)
        first, read, bare = first_frames(browser, Path(folder) / "many.html", empty)
        print(f"100,000 spans: first frame {first:.0f} ms, all read {read:.0f} ms; first frame of an empty page {bare:.0f} ms")
        with opened(browser, Path(folder) / "deep.html") as (page, _):
            drawn = sorted(page.evaluate(DRAWN) for _ in range(3))[1]
            folded = page.locator("input.unfold")
            if folded.count():
                folded.check()
            times = page.evaluate(SCROLLED)
            at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
            print(f"10,000 spans: drawn in {drawn:.0f} ms")
            print(f"scrolled in {len(times)} frames: p50 {at(0.5):.0f} ms, p99 {at(0.99):.0f} ms, most {times[-1]:.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
