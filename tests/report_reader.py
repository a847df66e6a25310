"""A report in a real browser: opened from disk, with everything it logs or asks the network for remembered."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def started() -> Iterator[Browser]:
    """A browser without a window. Where there is none, tests are skipped, and fail in a CI."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"none of {', '.join(BROWSERS)} is on the PATH")
    if path is None:
        pytest.skip("no chromium or chrome on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Report:
    """An open report.

    Attributes
    ----------
    page
        The browser's page.
    path
        The file.
    faults
        What the console said of errors, scripts that failed, and requests for anything but the file.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.faults: list[str] = []
        self._heard: dict[Any, Callable[[Any], None]] = {
            "console": lambda message: self.faults.append(f"{message.type}: {message.text}"),
            "pageerror": lambda error: self.faults.append(f"error: {error}"),
            "dialog": lambda dialog: self.faults.append(f"dialog: {dialog.message}"),
            "request": lambda request: self._requested(request.url, path.as_uri()),
        }
        for event, hear in self._heard.items():
            page.on(event, hear)
        page.goto(path.as_uri())
        self.at("bar-ticks").locator("span").first.wait_for(state="attached")

    def _requested(self, url: str, own: str) -> None:
        if url != own and not url.startswith(f"blob:{own.split('/')[0]}"):
            self.faults.append(f"request: {url}")

    def leave(self) -> None:
        """Stop listening, before the page shows something else."""
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)
        self._heard.clear()

    def settled(self) -> Report:
        """Wait until what was done is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def wait_for(self, what: str) -> None:
        """Wait until a JavaScript expression is true; Playwright's own way needs what the page's policy forbids."""
        deadline = time.monotonic() + 20
        while not self.page.evaluate(what):
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    def reload(self) -> None:
        self.page.reload()
        self.at("bar-ticks").locator("span").first.wait_for(state="attached")

    def at(self, place: str) -> Locator:
        return self.page.locator(f"#{place}")

    def text(self, place: str) -> str:
        return self.settled().at(place).inner_text()

    def open_table(self) -> Locator:
        """Open what is told in numbers, which is made then; its table."""
        self.at("numbers").locator("summary").click()
        self.at("table").locator("tr").first.wait_for()
        return self.at("table")

    def canvas(self, place: str = "heat") -> NDArray[np.uint8]:
        """(h, w, 4) uint8 RGBA: what is drawn."""
        self.settled()
        drawn = self.page.evaluate(
            """async (place) => {
                const drawn = document.getElementById(place);
                const canvas = new OffscreenCanvas(drawn.width, drawn.height);
                canvas.getContext("2d").drawImage(drawn, 0, 0);
                const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
                let text = "";
                for (const byte of bytes) text += String.fromCharCode(byte);
                return btoa(text);
            }""",
            place,
        )
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(drawn), np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        return np.asarray(picture[..., [2, 1, 0, 3]], np.uint8)

    def grey(self) -> NDArray[np.uint8]:
        """(h, w) uint8: the heat from 0 to 255, where the page was made with ``gray``, wholly opaque."""
        drawn = self.canvas()
        assert (drawn[..., 3] == 255).all()
        assert (drawn[..., 0] == drawn[..., 2]).all()
        return drawn[..., 0]

    def drag(self, place: str, start: float, end: float, high: float = 0.5) -> None:
        """Press the mouse on an element at a share of its width, move it to another, and let go."""
        box = self.box(place)
        y = box["y"] + high * box["height"]
        mouse = self.page.mouse
        mouse.move(box["x"] + start * box["width"], y)
        mouse.down()
        mouse.move(box["x"] + (start + end) / 2 * box["width"], y)
        mouse.move(box["x"] + end * box["width"], y)
        mouse.up()
        self.settled()

    def click(self, place: str, x: float, y: float) -> None:
        """Click an element at a share of its width and height."""
        box = self.box(place)
        self.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        self.settled()

    def box(self, place: str) -> Any:
        self.at(place).scroll_into_view_if_needed()
        box = self.at(place).bounding_box()
        assert box is not None
        return box

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settled()
