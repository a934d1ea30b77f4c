"""One journey through the dashboard in a real browser: open it, click a picture, follow the link back."""

import itertools
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

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
        [sys.executable, "-m", "streamlit", "run", "app/main.py", *options],
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


def test_a_click_on_a_picture_opens_that_observation_and_its_link_leads_back(
    chromium: Browser, page: Page, address: str
) -> None:
    _open(page, address)
    pictures = page.locator(".atlas button")
    expect(pictures).to_have_count(12)
    other = pictures.nth(4)
    frame = (other.get_attribute("aria-label") or "").partition(":")[0]
    other.click()
    expect(page.get_by_role("heading", name=frame.capitalize(), exact=True)).to_be_visible()
    expect(other).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".large img.frame")).to_have_attribute("alt", re.compile(rf"^{frame}: "))
    expect(page.get_by_text("Nearest observations")).to_be_visible()
    expect(page.locator(".strip .slot")).to_have_count(10)
    expect(page).to_have_url(re.compile(rf"frame={frame.removeprefix('frame ')}\b"))

    again = chromium.new_page()
    _open(again, page.url)
    expect(again.get_by_role("heading", name=frame.capitalize(), exact=True)).to_be_visible()
    again.close()


def test_all_observations_are_shown_together_on_the_other_tab(page: Page, address: str) -> None:
    _open(page, address)
    page.get_by_role("tab", name="All of them").click()
    expect(page.get_by_text("ARI").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
