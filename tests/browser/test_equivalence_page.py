"""One journey through the dashboard in a real browser: click, slide, compare, exchange, and follow the link back."""

import itertools
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

ROOT = Path(__file__).parents[2]
PATIENCE = 240_000
"""Milliseconds that a page may take on a busy machine before a test gives up."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(small_study: Path) -> Iterator[str]:
    """A dashboard on the small study, at a port of its own."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    server = subprocess.Popen(
        [sys.executable, "-m", "app", *options],
        cwd=ROOT,
        env={**os.environ, "DTINTERP_ARTEFACTS": str(small_study)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with server:
        assert server.stdout is not None
        said = list(itertools.takewhile(lambda line: "URL:" not in line, server.stdout))
        assert server.poll() is None, "".join(said)
        yield f"http://localhost:{port}"
        server.terminate()
        try:
            server.communicate(timeout=30)  # read on until it ends: it stops only once it has said that it stops
        finally:
            server.kill()


def _open(page: Page, address: str) -> None:
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(address)


def _heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name, exact=True)


def test_a_journey_from_a_picture_to_the_features_that_keep_two_observations_apart(
    chromium: Browser, page: Page, address: str
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if _is_foreign(request.url, address) else None)
    _open(page, address)
    pictures = page.locator(".atlas button")
    expect(pictures).to_have_count(12)
    first = (pictures.nth(0).get_attribute("aria-label") or "").partition(":")[0]
    expect(_heading(page, first.capitalize())).to_be_visible()

    _a_click_on_a_picture_opens_it(page)
    _a_click_on_a_leaf_opens_it(page)
    page.go_back()
    expect(page.locator(".large img.frame")).to_have_attribute("alt", re.compile(_label(pictures.nth(4))))
    _the_keyboard_moves_epsilon(page)
    _two_observations_are_compared(page)

    again = chromium.new_page()
    _open(again, page.url)
    expect(_heading(again, "The exchange, applied")).to_be_visible()
    assert again.url == page.url
    again.close()
    assert complaints == []


def _a_click_on_a_picture_opens_it(page: Page) -> None:
    other = page.locator(".atlas button").nth(4)
    frame = _label(other).removeprefix("frame ")
    other.click()
    expect(_heading(page, f"Frame {frame}")).to_be_visible()
    expect(other).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".strip .slot")).to_have_count(10)
    expect(page).to_have_url(re.compile(rf"frame={frame}\b"))


def _a_click_on_a_leaf_opens_it(page: Page) -> None:
    leaves = page.locator(".js-plotly-plot").first.locator(".points path")
    expect(leaves).to_have_count(12)
    before = page.url
    leaves.and_(page.locator('[d^="M3.5"]')).first.click(force=True)  # the chosen one is larger; plotly lies above all
    expect(page).not_to_have_url(before)


def _the_keyboard_moves_epsilon(page: Page) -> None:
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("certified"))
    slider.focus()
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"epsilon=0\.0125\b"))
    expect(page.get_by_text("as the swaps make them. Only those at")).to_be_visible()
    page.get_by_role("button", name="Certified ε").click()
    expect(page).to_have_url(re.compile(r"epsilon=0\.01\b"))


def _two_observations_are_compared(page: Page) -> None:
    page.get_by_role("radio", name="Compare two").click()
    expect(_heading(page, "Which features keep them apart?")).to_be_visible()
    expect(page.locator(".large img.frame")).to_have_count(2)
    page.get_by_role("button", name="Find the smallest set of features").click()
    expect(_heading(page, "The exchange, applied")).to_be_visible()
    expect(page.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
    expect(page).to_have_url(re.compile(r"dictionary=topk-512-k4&window=\d"))


def _label(picture: Locator) -> str:
    return (picture.get_attribute("aria-label") or "").partition(":")[0]


def _is_foreign(url: str, address: str) -> bool:
    return url.startswith("http") and not url.startswith(address)


def test_agreement_with_the_world_is_drawn_on_the_last_view(page: Page, address: str) -> None:
    _open(page, f"{address}/?view=Against+the+world")
    expect(page.get_by_text("ARI").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()


def test_a_narrow_page_never_scrolls_sideways(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 800, "height": 900})
    for view in ("Classes", "Compare+two", "Confusions+and+distractions", "Against+the+world"):
        _open(page, f"{address}/?view={view}")
        expect(page.get_by_text("Where this comes from")).to_be_visible()
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 800
