"""The page in a headless Chromium: drawn on, moved, and watched for what it asks of others."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

CHROMIUM = shutil.which("chromium")
SECONDS = 120.0
"""To start the page on a busy machine; the same for an answer."""

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e .[dev]")
pytest.importorskip("gradio", reason="Gradio is not installed: pip install 'lightning-vi[demo]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


class Visit:
    """A page, and all that it has asked for and complained of."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.set_default_timeout(1000 * SECONDS)
        page.goto(url)


@contextmanager
def serving(*checkpoints: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, and the page's address."""
    arguments = map(str, checkpoints)
    command = [sys.executable, "-m", "lightning_vi", "demo", *arguments, "--port=0", "--draws=5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split()[0]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(runs: dict[str, Path]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with serving(*(runs[name] for name in ("bbb", "ensemble", "vae", "gan"))) as served:
        yield served


@pytest.fixture(scope="module")
def visit(server: tuple[subprocess.Popen[str], str]) -> Iterator[Visit]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Visit(browser.new_page(viewport={"width": 1280, "height": 1000}), server[1])
        browser.close()


def changed(image: Any, source: str) -> None:
    """Wait until an image is another."""
    sync_api.expect(image).not_to_have_attribute("src", source, timeout=1000 * SECONDS)


def test_a_stroke_has_class_probabilities(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Brush").first.wait_for()
    page.get_by_label("Brush").first.click()
    box = page.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 80)
    page.mouse.down()
    page.mouse.move(x + 10, y + 80, steps=10)
    page.mouse.up()
    page.locator("td").first.wait_for()
    rows = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    assert [row[0] for row in rows] == ["bbb/version_0", "ensemble/version_0"]
    for row in rows:
        probability, entropy, information = map(float, row[2:5])
        assert 0.1 <= probability <= 1.0  # the largest of ten
        assert 0.0 <= information <= entropy <= 2.303
    assert " with 0." in rows[0][5]
    assert rows[1][5] == "none"
    assert page.locator("img:visible").count() >= 3  # what the models see, and two plots


def test_sliders_and_the_random_code_change_the_image(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("tab", name="vae/version_0").click()
    image = page.locator("img:visible").first
    image.wait_for()
    before = image.get_attribute("src")
    slider = page.locator("input[type=range]:visible").first
    slider.focus()
    slider.press("End")
    changed(image, before)
    moved = image.get_attribute("src")
    page.get_by_role("button", name="Random code").click()
    changed(image, moved)
    page.get_by_role("button", name="Zero code").click()
    sync_api.expect(slider).to_have_value("0", timeout=1000 * SECONDS)


def test_a_walk_through_the_noise_changes_the_image(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("tab", name="gan/version_0").click()
    image = page.locator("img:visible").first
    image.wait_for()
    before = image.get_attribute("src")
    slider = page.locator("input[type=range]:visible").first
    slider.focus()
    slider.press("End")
    changed(image, before)


def test_nothing_was_asked_of_others_and_nothing_failed(
    visit: Visit, server: tuple[subprocess.Popen[str], str]
) -> None:
    elsewhere = [each for each in visit.requests if not each.startswith((server[1], "data:", "blob:"))]
    assert not elsewhere
    assert visit.requests
    assert not visit.errors


def test_ctrl_c_ends_it_while_the_page_is_open(visit: Visit, server: tuple[subprocess.Popen[str], str]) -> None:
    process, url = server
    assert url.startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")


def test_requests_of_others_get_no_file_of_the_machine(runs: dict[str, Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    drawn = {"background": file, "layers": list[Any](), "composite": None}
    event = {"data": [drawn], "fn_index": 0, "session_hash": "abc"}
    with serving(runs["bbb"]) as (_, url):
        request = Request(f"{url}/gradio_api/queue/join", json.dumps(event).encode())
        request.add_header("Content-Type", "application/json")
        urlopen(request, timeout=SECONDS).close()
        with urlopen(f"{url}/gradio_api/queue/data?session_hash=abc", timeout=SECONDS) as told:
            assert "it was not uploaded by a user" in told.read().decode()
        with pytest.raises(HTTPError, match="403") as refused:
            urlopen(f"{url}/gradio_api/file={secret}", timeout=SECONDS)
        refused.value.close()
        with pytest.raises(HTTPError, match="400") as refused:
            urlopen(Request(url, headers={"Host": "elsewhere.example"}), timeout=SECONDS)
        refused.value.close()
