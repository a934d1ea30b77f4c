"""A real Chromium for the browser tests, or a sentence that says why there is none."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; skips where there is none, and fails under CI=true."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page of its own for each test."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def _executable() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and MAC_CHROME.is_file():
        found = str(MAC_CHROME)
    if found is None:
        sentence = "no Chromium found: install one (Debian: apt-get install chromium) to run the browser tests"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found
