"""One small video with every kind of error, and the same as files; and one browser for all tests of the report page.

A page that the browser complains of fails its test.
"""

import json
import shutil

import cv2
import numpy as np
import pytest
from made_errors import FRAMES, make_results, make_truth
from made_report import make_report
from made_tracks import SIZE

from mmdet.report.page import write_page

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
def truth():
    return make_truth()


@pytest.fixture
def results():
    return make_results()


@pytest.fixture
def files(tmp_path):
    """A folder with truth.json, results.json and images/."""
    (tmp_path / "truth.json").write_text(json.dumps(make_truth()))
    (tmp_path / "results.json").write_text(json.dumps(make_results()))
    folder = tmp_path / "images" / "clip"
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        picture = np.full((*SIZE, 3), 40 * frame, np.uint8)
        cv2.imwrite(str(folder / f"{frame:05d}.png"), picture)
    return tmp_path


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a window; closed after the module, as playwright keeps an event loop in the main thread."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium: install the package `chromium` of the system to try the report page in a browser")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e .[dev]")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Write the page of a made-up report, once for equal arguments, and return its path."""
    folder = tmp_path_factory.mktemp("pages")
    known = {}

    def write(**arguments):
        key = repr(arguments)
        if key not in known:
            known[key] = folder / f"{len(known)}.html"
            write_page(make_report(**arguments), known[key])
        return known[key]

    return write


@pytest.fixture(scope="module")
def complaints():
    """What the browser has complained of since the last test."""
    return []


@pytest.fixture(scope="module")
def window(browser, complaints):
    """A page that most tests use one after the other, since opening one takes longer than most tests."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    _listen(page, complaints)
    return page


@pytest.fixture
def visit(browser, window, complaints):
    """Open a page and return it when its player has drawn; at the end the browser may not have complained.

    With `settings` of the browser it gets a window of its own.
    """
    own = []

    def open_page(path, address="", *, player=True, **settings):
        page = window
        if settings:
            page = browser.new_page(**({"viewport": {"width": 1280, "height": 800}} | settings))
            own.append(page)
            _listen(page, complaints)
        page.goto(f"file://{path}{address}")
        if player:
            page.wait_for_selector("#player-box[data-shown]", timeout=10_000)
        return page

    complaints.clear()
    yield open_page
    for page in own:
        page.close()
    window.goto("about:blank")
    assert not complaints


def _listen(page, complaints):
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url[:80]}"))
    page.on("request", lambda request: complaints.extend(_outside(request.url)))


def _outside(address):
    return [] if address.startswith(("file:", "data:", "about:")) else [f"asked for {address}"]
