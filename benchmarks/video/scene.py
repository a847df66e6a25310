"""What the made clips show: a street, as a fixed surveillance camera sees it.

The speed of a decoder and of a motion map depends on the picture, so the scene has what such videos have. A textured
facade, pavement, road and lawn stay where they are. Two cars, five people and the crown of a tree move, at the speeds
of a side street and between whole pixels; now and then a car is out of the picture. A cloud passes slowly, so that the
light of the whole picture changes. And every frame has noise of its own, mild and soft as a camera's denoiser leaves
it: no two frames are the same, in every one the encoder has something to write and a decoder something to read.

Lengths and speeds are those of a picture 1080 px high; others are scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]
    Color = tuple[int, int, int]
    Point = tuple[float, float]

__all__ = ["street"]

RATE: Final = 30  # frames/s, which the speeds are meant for
NOISE: Final = (1.8, 0.7)  # standard deviation of luma and of chroma, grey levels
NOISE_OFFSETS: Final = 256  # the noise of a frame begins this far, at most, into a larger plane of it
STEPS: Final = 12  # pictures of one stride of a walker


def street(height: int, width: int, frames: int) -> Iterator[Plane]:
    """The frames, (h * 3 / 2, w) uint8 as YUV 4:2:0 in BT.601, limited range; both sides are to be even.

    The memory of a frame is written again for the next one.
    """
    random = np.random.default_rng(1)
    scale = height / 1080
    still = _i420(_place(random, height, width, scale))
    movers = _movers(random, width, scale)
    noises = [_noise(random, rows, width, sigma) for rows, sigma in zip((height, height // 2), NOISE, strict=True)]
    frame = still.copy()
    luma, chroma = frame[:height], frame[height:]
    for number in range(frames):
        frame[:] = still
        for mover in movers:
            sprite, x, y = mover(number)
            sprite.draw(frame, height, x, y)
        cv2.LUT(luma, _light(number / RATE), dst=luma)
        for plane, noise in ((luma, noises[0]), (chroma, noises[1])):
            top, left = random.integers(0, NOISE_OFFSETS, 2)
            plane += noise[top : top + plane.shape[0], left : left + width]
        yield frame


@dataclass(frozen=True)
class Sprite:
    """A small picture with soft edges: for Y, U and V a float32 plane (h, w, 2), the value times alpha, and alpha."""

    planes: tuple[NDArray[np.float32], ...]

    @classmethod
    def of(cls, bgr: NDArray[np.uint8], mask: Plane) -> Sprite:
        """From a BGR picture with even sides, and a mask that is 255 where there is something."""
        height, width = mask.shape
        half = (width // 2, height // 2)
        i420 = _i420(bgr)
        luma, chroma = i420[:height], i420[height:].reshape(2, *half[::-1])
        coarse = cv2.resize(mask, half, interpolation=cv2.INTER_AREA)
        return cls((_with_alpha(luma, mask), *(_with_alpha(plane, coarse) for plane in chroma)))

    def draw(self, frame: Plane, height: int, x: float, y: float) -> None:
        """Put it into a frame, its top left corner at (x, y) px; what lies outside is cut off."""
        luma, chroma = frame[:height], frame[height:].reshape(2, height // 2, -1)
        for sprite, plane, factor in zip(self.planes, (luma, *chroma), (1.0, 0.5, 0.5), strict=True):
            _paste(plane, sprite, factor * x, factor * y)


def _with_alpha(values: Plane, mask: Any) -> NDArray[np.float32]:
    alpha = mask.astype(np.float32) / 255
    return np.pad(np.dstack([values * alpha, alpha]), ((1, 1), (1, 1), (0, 0)))


def _paste(plane: Plane, sprite: NDArray[np.float32], x: float, y: float) -> None:
    left, top = int(np.floor(x)), int(np.floor(y))
    height, width = sprite.shape[0] + 1, sprite.shape[1] + 1
    rows = slice(max(top, 0), min(top + height, plane.shape[0]))
    columns = slice(max(left, 0), min(left + width, plane.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    shift = np.array([[1, 0, x - left], [0, 1, y - top]], np.float32)
    moved = cv2.warpAffine(sprite, shift, (width, height))
    moved = moved[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    below = plane[rows, columns]
    below[:] = np.rint(below * (1 - moved[..., 1]) + moved[..., 0])


def _i420(bgr: NDArray[np.uint8]) -> Plane:
    """Y, U and V below each other, which leaves room above and below for light and noise."""
    return np.asarray(cv2.cvtColor(np.clip(bgr, 12, 215), cv2.COLOR_BGR2YUV_I420), np.uint8)


def _light(seconds: float) -> Plane:
    """A table for luma: a cloud takes a tenth of the light, and gives it back after 10 s."""
    gain = 0.95 + 0.05 * np.cos(2 * np.pi * seconds / 20)
    table: Plane = np.rint(16 + gain * (np.arange(256) - 16.0)).clip(0, 255).astype(np.uint8)
    return table


def _noise(random: np.random.Generator, rows: int, columns: int, sigma: float) -> Plane:
    """Soft noise, to be added modulo 256; larger than a frame, for frames to begin anywhere in it."""
    size = (rows + NOISE_OFFSETS, columns + NOISE_OFFSETS)
    noise = cv2.GaussianBlur(random.standard_normal(size, np.float32), (0, 0), 0.8)
    limited: NDArray[np.int8] = np.rint(noise * (sigma / noise.std())).clip(-10, 10).astype(np.int8)
    return limited.view(np.uint8)


def _texture(random: np.random.Generator, height: int, width: int, finest: float) -> NDArray[np.float32]:
    """(h, w) of mean 0 and standard deviation 1: coarse and fine together, as surfaces are."""
    sum_of_all = np.zeros((height, width), np.float32)
    size = max(2.0, finest)
    while size < height:
        rows, columns = int(height / size) + 2, int(width / size) + 2
        grains = random.standard_normal((rows, columns), np.float32)
        sum_of_all += size**0.35 * np.asarray(cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC))
        size *= 2
    sum_of_all /= sum_of_all.std()
    return sum_of_all


def _place(random: np.random.Generator, height: int, width: int, scale: float) -> NDArray[np.uint8]:
    """The street without its people: (h, w, 3) uint8 BGR."""

    def px(length: float) -> int:
        return round(scale * length)

    picture = np.empty((height, width, 3), np.float32)
    # rows down to which it reaches, BGR, how rough it is
    for top, bottom, color, rough in (
        (0, 430, (86, 104, 132), 0.10),  # facade
        (430, 520, (128, 132, 134), 0.07),  # pavement
        (520, 850, (84, 82, 80), 0.09),  # road
        (850, 1080, (58, 112, 84), 0.20),  # lawn
    ):
        rows = slice(px(top), px(bottom))
        grain = _texture(random, px(bottom) - px(top), width, 2 * scale)
        picture[rows] = np.array(color, np.float32) * (1 + rough * grain[..., None])
    for row in range(0, 430, 14):  # courses of bricks
        cv2.line(picture, (0, px(row)), (width, px(row)), (70, 84, 104), max(1, px(2)))
    for left in range(60, round(width / scale), 240):  # windows
        for top in (50, 240):
            cv2.rectangle(picture, (px(left), px(top)), (px(left + 120), px(top + 140)), (60, 52, 44), -1)
            cv2.line(picture, (px(left + 10), px(top + 130)), (px(left + 90), px(top + 10)), (120, 110, 96), px(12))
            cv2.rectangle(picture, (px(left), px(top)), (px(left + 120), px(top + 140)), (176, 180, 184), max(1, px(8)))
    for left in range(0, round(width / scale), 90):  # slabs
        cv2.line(picture, (px(left), px(430)), (px(left - 20), px(520)), (104, 106, 108), max(1, px(3)))
    cv2.rectangle(picture, (0, px(514)), (width, px(526)), (150, 152, 154), -1)  # kerb
    for left in range(0, round(width / scale), 200):  # lane markings
        cv2.rectangle(picture, (px(left), px(676)), (px(left + 100), px(686)), (186, 188, 190), -1)
    cv2.rectangle(picture, (px(1532), px(300)), (px(1568), px(505)), (44, 56, 70), -1)  # trunk
    return picture.clip(0, 255).astype(np.uint8)


def _movers(
    random: np.random.Generator, width: int, scale: float
) -> list[Callable[[int], tuple[Sprite, float, float]]]:
    """From the number of a frame to what is drawn, and the px of its top left corner; the nearer ones last."""
    movers: list[Callable[[int], tuple[Sprite, float, float]]] = []

    def crossing(pictures: list[Sprite], begin: float, top: float, speed: float, stride: float, away: float) -> None:
        """From one side to the other and again; ``away`` px beyond the edges, where it is not seen."""

        def at(number: int) -> tuple[Sprite, float, float]:
            way = width / scale + 2 * away
            x = (begin + speed * number) % way - away
            phase = speed * number / stride
            up = 2 * abs(np.sin(np.pi * phase))
            return pictures[int(STEPS * phase) % len(pictures)], scale * x, scale * (top - up)

        movers.append(at)

    def walker(height: float, jacket: Color, begin: float, top: float, speed: float) -> None:
        pictures = [_walker(random, scale * height, jacket, step / STEPS) for step in range(STEPS)]
        crossing([_mirrored(each) for each in pictures] if speed < 0 else pictures, begin, top, speed, height, 150)

    walker(125, (60, 50, 150), 300, 370, 2.6)
    walker(120, (150, 110, 50), 1100, 380, -2.9)
    walker(130, (70, 70, 70), 900, 375, 2.3)
    crossing([_car(random, scale * 250, (150, 70, 40))], 200, 530, -11.0, 1e9, 700)
    crossing([_car(random, scale * 330, (40, 50, 170))], 1500, 690, 15.0, 1e9, 1200)

    crown = _crown(random, scale)

    def swaying(number: int) -> tuple[Sprite, float, float]:
        seconds = number / RATE
        x = 1330 + 5 * np.sin(2 * np.pi * seconds / 3.1) + 2 * np.sin(2 * np.pi * seconds / 0.9)
        return crown, scale * x, scale * (40 + 1.5 * np.sin(2 * np.pi * seconds / 1.7))

    movers.append(swaying)
    walker(230, (120, 140, 60), 500, 790, -4.6)
    walker(245, (190, 190, 180), 1200, 800, 5.0)
    return movers


def _mirrored(sprite: Sprite) -> Sprite:
    return Sprite(tuple(np.ascontiguousarray(plane[:, ::-1]) for plane in sprite.planes))


def _canvas(height: float, width: float) -> tuple[Any, Any]:
    """A black BGR picture and an empty mask with even sides."""
    size = (2 * round(height / 2), 2 * round(width / 2))
    return np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)


def _textured(random: np.random.Generator, picture: Any, mask: Any, rough: float) -> Sprite:
    grain = _texture(random, mask.shape[0], mask.shape[1], 2.0)
    return Sprite.of((picture * (1 + rough * grain[..., None])).clip(0, 255).astype(np.uint8), mask)


def _walker(random: np.random.Generator, height: float, jacket: Color, phase: float) -> Sprite:
    """Somebody who walks to the right; ``phase`` 0 to 1 within a stride."""
    picture, mask = _canvas(height, 0.6 * height)
    swing = 0.16 * np.sin(2 * np.pi * phase)
    hip, neck, shoulder = (0.3, 0.52), (0.31, 0.22), (0.31, 0.25)
    limbs: list[tuple[Point, Point, float, Color]] = [
        (shoulder, (0.3 - 0.8 * swing, 0.5), 0.05, jacket),
        (hip, (0.3 - swing, 0.97), 0.085, (50, 40, 36)),
        (hip, (0.3 + swing, 0.97), 0.085, (70, 56, 48)),
        (hip, neck, 0.17, jacket),
        (shoulder, (0.3 + 0.8 * swing, 0.5), 0.05, jacket),
    ]
    for begin, end, thick, color in limbs:
        first, last = ((int(height * x), int(height * y)) for x, y in (begin, end))
        for canvas, ink in ((picture, color), (mask, (255,))):
            cv2.line(canvas, first, last, ink, max(1, round(thick * height)), cv2.LINE_AA)
    for canvas, ink in ((picture, (110, 140, 190)), (mask, (255,))):
        cv2.circle(canvas, (int(0.32 * height), int(0.09 * height)), max(1, round(0.07 * height)), ink, -1, cv2.LINE_AA)
    return _textured(random, picture, mask, 0.08)


def _car(random: np.random.Generator, length: float, paint: Color) -> Sprite:
    picture, mask = _canvas(0.4 * length, length)

    def fill(points: list[Point], color: Color) -> None:
        corners = (length * np.array(points)).astype(np.int32)
        cv2.fillPoly(picture, [corners], color, cv2.LINE_AA)
        cv2.fillPoly(mask, [corners], (255,), cv2.LINE_AA)

    fill(
        [(0.01, 0.2), (0.2, 0.17), (0.3, 0.03), (0.7, 0.03), (0.82, 0.17), (0.99, 0.21), (0.99, 0.33), (0.01, 0.33)],
        paint,
    )
    fill([(0.24, 0.165), (0.32, 0.05), (0.49, 0.05), (0.49, 0.165)], (90, 84, 70))
    fill([(0.52, 0.165), (0.52, 0.05), (0.68, 0.05), (0.77, 0.165)], (90, 84, 70))
    fill([(0.01, 0.3), (0.99, 0.3), (0.99, 0.34), (0.01, 0.34)], (40, 40, 40))
    for x in (0.2, 0.8):
        for canvas, ink in ((picture, (28, 28, 28)), (mask, (255,))):
            cv2.circle(canvas, (int(x * length), int(0.325 * length)), round(0.07 * length), ink, -1, cv2.LINE_AA)
        cv2.circle(picture, (int(x * length), int(0.325 * length)), round(0.035 * length), (150, 150, 150), -1)
    return _textured(random, picture, mask, 0.03)


def _crown(random: np.random.Generator, scale: float) -> Sprite:
    picture, mask = _canvas(400 * scale, 440 * scale)
    height, width = mask.shape
    for _ in range(260):
        angle, far = random.uniform(0, 2 * np.pi), random.uniform(0, 1) ** 0.5
        middle = (int(width * (0.5 + 0.4 * far * np.cos(angle))), int(height * (0.5 + 0.4 * far * np.sin(angle))))
        green, radius = int(random.integers(50, 120)), max(1, round(random.uniform(14, 34) * scale))
        for canvas, ink in ((picture, (green // 2, green, green * 2 // 3)), (mask, (255,))):
            cv2.circle(canvas, middle, radius, ink, -1, cv2.LINE_AA)
    return _textured(random, picture, mask, 0.12)
