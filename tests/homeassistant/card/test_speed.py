"""200 jobs on a slow tablet: Chromium's CPU throttled 4 times.

The length of a task is the CPU time that Chromium's trace states, so other programs on the machine
hardly count; the first paint is wall time. A reference in the same page, as many plain elements as
the card has, is the measure of a slower or busier machine: the limits grow with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.homeassistant.card.bench import Bench
from tests.homeassistant.card.situations import downloading, entry, many

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

JOBS = 200
LISTS = many(JOBS)
FIRST_PAINT = 200  # ms
LONG_TASK = 50  # ms
REFERENCE_PAINT = 60  # ms of the reference up to which FIRST_PAINT holds
REFERENCE_TASK = 25  # ms of CPU time of the reference up to which LONG_TASK holds
TRACED = ["toplevel"]

SHIFTS = """() => {
  bench.shifts = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) bench.shifts += one.value;
  }).observe({ type: "layout-shift" });
}"""
FIRST = """async () => {
  const start = performance.now();
  await bench.add({ type: "custom:mediarip-card", entity: "sensor.mediarip_status" });
  return (await bench.painted()) - start;
}"""
# As many elements as the card has, with the same text: what the browser itself needs.
PLAIN = """async () => {
  const card = bench.cards[0];
  const rows = [...card.shadowRoot.querySelectorAll("li")].map((one) => one.textContent);
  const count = [...bench.all(card.shadowRoot)].length;
  const each = Math.ceil(count / (rows.length || 1));
  const host = document.createElement("div");
  document.querySelector("main").append(host);
  const start = performance.now();
  for (const text of rows) {
    const row = host.appendChild(document.createElement("div"));
    for (let n = 0; n < each; n += 1) {
      row.appendChild(document.createElement("span")).textContent = "x";
    }
    row.append(text);
  }
  const time = (await bench.painted()) - start;
  host.remove();
  return time;
}"""


SHOW_ALL = """async (count) => {
  await new Promise((resolve) => setTimeout(resolve));
  const root = bench.cards[0].shadowRoot;
  const rows = () => root.querySelectorAll("li").length;
  for (const name of ["Waiting", "Failed", "Finished"]) {
    const button = [...root.querySelectorAll("button")]
      .find((one) => one.getAttribute("aria-label") === `Show all: ${name}`);
    button.click();
    for (let before = -1; before !== rows(); ) {
      before = rows();
      for (let frame = 0; frame < 3; frame += 1) await bench.painted();
    }
  }
  return rows();
}"""
# Six rows of the card have about as many elements: what the browser itself needs for one frame.
FRAME = """async () => {
  await new Promise((resolve) => setTimeout(resolve));
  const host = document.createElement("div");
  document.querySelector("main").append(host);
  for (let n = 0; n < 150; n += 1) {
    host.appendChild(document.createElement(n % 5 ? "span" : "div")).textContent = `Text ${n}`;
  }
  await bench.painted();
  host.remove();
  await bench.painted();
}"""
# Changes that are in the page already: handing them over is not the card's work.
PLAY = """async (steps) => {
  bench.shifts = 0;
  for (const states of steps) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    bench.change(states);
  }
  await bench.painted();
}"""


def slow(bench: Bench, rate: int = 4) -> None:
    session = bench.page.context.new_cdp_session(bench.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": rate})


@contextmanager
def traced(browser: Browser, page: Page) -> Iterator[list[float]]:
    """Fill the list with the CPU time of each task of the page's main thread, in milliseconds."""
    found: list[float] = []
    browser.start_tracing(page=page, categories=TRACED)
    yield found
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    # What comes through mojo is Playwright's: work begins in a timer, so that it is not there.
    found += [
        one["tdur"] / 1000
        for one in events
        if (one["pid"], one["tid"]) in main
        and one["name"] == "ThreadControllerImpl::RunTask"
        and not one["args"].get("src_file", "mojo/").startswith("mojo/")
        and "tdur" in one
    ]
    assert found, "the trace has no tasks"


def longest(browser: Browser, bench: Bench, work: str) -> tuple[float, float]:
    """Return the longest task of a script and the limit for it: the best of three rounds.

    Each round has a fresh card. A busy machine also costs CPU time: cold caches.
    """
    tasks = []
    plain = []
    for _ in range(3):
        bench.page.evaluate("() => bench.cards.splice(0).forEach((card) => card.remove())")
        bench.page.evaluate(FIRST)
        with traced(browser, bench.page) as found:
            bench.page.evaluate(work)
        tasks.append(max(found))
        with traced(browser, bench.page) as found:
            bench.page.evaluate(FRAME)
        plain.append(max(found))
    return min(tasks), LONG_TASK * max(1, min(plain) / REFERENCE_TASK)


@pytest.fixture
def slow_bench(open_bench: Callable[..., Bench]) -> Bench:
    bench = open_bench(480)
    bench.start(LISTS, cards=0)
    slow(bench)
    bench.page.evaluate(SHIFTS)
    return bench


def test_the_first_picture_of_200_jobs_is_fast(
    slow_bench: Bench, record_property: Callable[[str, Any], None]
) -> None:
    times = []
    plain = []
    for _ in range(5):
        times.append(slow_bench.page.evaluate(FIRST))
        plain.append(slow_bench.page.evaluate(PLAIN))
        slow_bench.page.evaluate("() => bench.cards.splice(0).forEach((card) => card.remove())")
    first, reference = min(times), min(plain)
    record_property("first paint, ms", round(first))
    record_property("reference, ms", round(reference))
    assert first < FIRST_PAINT * max(1, reference / REFERENCE_PAINT), (times, plain)


def test_updates_make_no_long_task_and_nothing_jumps(
    slow_bench: Bench, browser: Browser, record_property: Callable[[str, Any], None]
) -> None:
    bench = slow_bench
    steps = []
    for step in range(5):
        progress = downloading(1, tile=0, progress=50.0 + step)
        now = replace(LISTS, jobs=(progress, *LISTS.jobs[1:]))
        steps.append({"sensor.mediarip_status": now.states()["sensor.mediarip_status"]})
    bench.page.evaluate("(steps) => { bench.steps = steps }", steps)
    task, limit = longest(browser, bench, f"() => ({PLAY})(bench.steps)")
    record_property("longest task of an update, ms", f"{task:.0f} of {limit:.0f}")
    assert task < limit
    assert bench.page.evaluate("() => bench.shifts") == 0


def test_showing_all_200_jobs_makes_no_long_task(
    slow_bench: Bench, browser: Browser, record_property: Callable[[str, Any], None]
) -> None:
    bench = slow_bench
    task, limit = longest(browser, bench, f"({SHOW_ALL})()")
    assert bench.card.locator("li").count() >= JOBS - 20
    record_property("longest task of showing all, ms", f"{task:.0f} of {limit:.0f}")
    assert task < limit


def test_an_update_touches_the_rows_that_changed(bench: Bench) -> None:
    bench.start(LISTS)
    bench.page.evaluate("() => bench.watch()")
    for step in range(3):
        changed = downloading(1, tile=0, progress=60.0 + 5 * step)
        now = replace(LISTS, jobs=(changed, *LISTS.jobs[1:]))
        bench.change({"sensor.mediarip_status": now.states()["sensor.mediarip_status"]})
        touched = bench.page.evaluate("() => bench.touched()")
        # The timer may move the other running download in the same moment.
        assert touched["rows"] <= 2
        assert touched["lists"] == 0


def test_one_finished_download_leaves_the_other_rows_alone(bench: Bench) -> None:
    bench.start(LISTS)
    bench.page.evaluate("() => bench.watch()")
    states = replace(
        LISTS, jobs=LISTS.jobs[1:], finished=(entry(1, title="Done"), *LISTS.finished)
    ).states()
    changed = ("sensor.mediarip_status", "sensor.mediarip_last_completed")
    bench.change({one: states[one] for one in changed})
    bench.card.get_by_text("Done", exact=True).wait_for()
    # It leaves one list and enters another, which shows one old row less; the other one moves.
    assert bench.page.evaluate("() => bench.touched()")["rows"] <= 4


def test_changes_elsewhere_in_the_home_cost_nothing(bench: Bench) -> None:
    bench.start(replace(LISTS, jobs=LISTS.jobs[2:], status="idle"))
    bench.page.evaluate("() => bench.watch()")
    lamp = {"entity_id": "light.x", "state": "on", "attributes": {}}
    for number in range(20):
        bench.change({"light.x": {**lamp, "last_changed": str(number)}})
    assert bench.page.evaluate("() => bench.touched()") == {"rows": 0, "lists": 0}


def test_nothing_runs_while_nothing_moves(bench: Bench) -> None:
    bench.page.add_init_script(
        "window.timers = new Set(); const start = setInterval, stop = clearInterval;"
        "window.setInterval = (...all) => { const id = start(...all); timers.add(id); return id; };"
        "window.clearInterval = (id) => { timers.delete(id); stop(id); };"
    )
    bench.page.reload()
    bench.load("/mediarip-card.js")
    running = replace(LISTS, jobs=LISTS.jobs[:2])
    bench.start(running)
    assert bench.page.evaluate("() => timers.size") == 1
    bench.change(replace(running, jobs=LISTS.jobs[2:], status="idle").states())
    assert bench.page.evaluate("() => timers.size") == 0
    bench.change(running.states())
    assert bench.page.evaluate("() => timers.size") == 1
    bench.page.evaluate("() => bench.cards[0].remove()")
    assert bench.page.evaluate("() => timers.size") == 0
