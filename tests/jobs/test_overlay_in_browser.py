"""The video really played, in headless Chromium."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clips import decoded, encode, scene

import gpuheat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

STEP = 7  # of so many pixels along a row and a column one is looked at
PLAY = """
async (url) => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = url;
  document.body.append(video);
  await new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = () => reject(video.error.message);
  });
  video.playbackRate = 4;
  await video.play();
  await new Promise((resolve) => { video.onended = resolve; });
  const pixels = async (time) => {
    const shown = new Promise((resolve) => { video.requestVideoFrameCallback(resolve); });
    const seeked = new Promise((resolve) => { video.onseeked = resolve; });
    video.currentTime = time;
    await Promise.all([seeked, shown]);
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const rows = [];
    for (let y = 0; y < canvas.height; y += STEP) {
      const row = [];
      for (let x = 0; x < canvas.width; x += STEP) {
        const at = 4 * (y * canvas.width + x);
        row.push([...data.slice(at, at + 3)]);
      }
      rows.push(row);
    }
    return rows;
  };
  return {
    size: [video.videoWidth, video.videoHeight],
    duration: video.duration,
    early: await pixels(0.1),
    late: await pixels(1.1),
  };
}
""".replace("STEP", str(STEP))


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(
    ("size", "encoding"),
    [
        ((720, 240), {"pix_fmt": "bgr0", "codec": "ffv1"}),
        ((121, 161), {"pix_fmt": "bgr0", "codec": "ffv1"}),
        ((96, 128), {}),
    ],
    ids=["in BT.709", "of odd sides", "on the planes of the video"],
)
def test_a_browser_plays_it_to_its_end(
    tmp_path: Path, page: Page, size: tuple[int, int], encoding: dict[str, Any]
) -> None:
    clip = encode(tmp_path / "clip.mkv", scene(36, *size), **encoding)
    target = tmp_path / "overlay.mp4"
    gpuheat.overlay_video(clip, target)
    played = page.evaluate(PLAY, "data:video/mp4;base64," + base64.b64encode(target.read_bytes()).decode())
    shown = decoded(target)
    height, width = shown[0].bgr.shape[:2]
    assert played["size"] == [width, height]
    assert played["duration"] == pytest.approx(36 / 25, abs=0.002)
    for moment, time in (("early", 0.1), ("late", 1.1)):
        rgb = np.array(played[moment])
        expected = next(one for one in reversed(shown) if one.time is not None and one.time <= time)
        assert np.abs(rgb[..., ::-1] - expected.bgr[::STEP, ::STEP]).mean() < 2.5
