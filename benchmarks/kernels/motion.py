"""Motion: every layout, realistic and worst content, masked, decayed, small batches and awkward widths."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.case import NONE, SIZES, Case, Machine, Planned, Setting, Target, Work, input_sets
from benchmarks.checking import difference
from benchmarks.content import moving_band, noise
from gpuheat import FrameLayout, get_backend
from gpuheat.pixels import YUV_TO_BGR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat import Backend

__all__ = ["LAYOUTS", "THRESHOLD", "Comparing", "Film", "floor_bytes", "planned"]

THRESHOLD: Final = 25
DISTINCT: Final = 4  # frames; a batch shows them over and over, so that the reference has to compare no others
KEPT: Final = 12  # reels of distinct frames, about 130 MB each at 4K
CONVERSION: Final = YUV_TO_BGR["bt709", "limited"]
LAYOUTS: Final = {
    "bgr24": FrameLayout.BGR24,
    "gray8": FrameLayout.GRAY8,
    "yuv420p": FrameLayout("yuv420p", CONVERSION),
    "nv12": FrameLayout("nv12", CONVERSION),
    "luma": FrameLayout("gray8", CONVERSION),  # of limited range
}


@dataclass(frozen=True)
class Film:
    """A batch of ``pairs + 1`` frames; ``moving`` is "band" or "noise" (everywhere)."""

    layout: str
    height: int
    width: int
    pairs: int
    moving: str = "band"
    masked: bool = False
    decayed: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        extras = [self.moving if self.moving == "band" else "noise everywhere"]
        extras += ["mask"] * self.masked + ["decayed"] * self.decayed
        pairs = "1 pair" if self.pairs == 1 else f"{self.pairs} pairs"
        return f"motion {self.layout}, {pairs} of {self.width} x {self.height}, {', '.join(extras)}"


@dataclass(frozen=True, eq=False)
class Expected:
    """What a batch gives, by the backend numpy."""

    counts: NDArray[np.uint32]
    moved: NDArray[np.uint32]
    weights: NDArray[np.float64]
    decayed: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparing:
    """A film in the memory of a machine, in several copies (each a tuple of planes), and what it gives."""

    film: Film
    machine: Machine
    sets: list[tuple[Any, ...]]
    expected: Expected

    @property
    def layout(self) -> FrameLayout:
        """How its frames lie in memory."""
        return LAYOUTS[self.film.layout]


def planned(setting: Setting) -> list[Planned]:
    """All cases of motion: each layout in each size, and in the main size what makes it harder."""
    cases = []
    for size in setting.sizes:
        for layout in setting.layouts:
            height, width = SIZES[size]
            frame_bytes = sum(math.prod(shape) for shape in LAYOUTS[layout].plane_shapes(height, width))
            pairs = max(1, min(setting.pairs, setting.batch_bytes // frame_bytes - 1))
            film = Film(layout, height, width, pairs)
            main = size == setting.sizes[0]
            aim = setting.yardsticks.aim("motion", layout) if main else NONE
            cases.append(_planned(setting, film, aim, with_peers=True))
            if main and (setting.thorough or layout == setting.layouts[0]):
                cases.append(_planned(setting, replace(film, moving="noise")))
                cases.append(_planned(setting, replace(film, masked=True)))
                cases.append(_planned(setting, replace(film, decayed=True)))
                cases.append(_planned(setting, replace(film, width=width - (2 if LAYOUTS[layout].planar else 3))))
                cases.append(_planned(setting, replace(film, pairs=1)))
    return cases


def floor_bytes(film: Film, frame_bytes: int, moved_pixels: int) -> int:
    """Every frame once, the sums of a pixel once in and once out where it moved in the batch, the mask once."""
    sums = moved_pixels * (8 + 16 * film.decayed)
    return (film.pairs + 1) * frame_bytes + sums + film.height * film.width * film.masked


def _planned(setting: Setting, film: Film, target: Target = NONE, *, with_peers: bool = False) -> Planned:
    floor = "each frame read once; per pixel that moved, its count read and written (8)"
    floor += " and its decayed sum (16)" * film.decayed + "; mask read once" * film.masked
    return Planned(setting.suite, film.name, partial(_case, setting, film, with_peers), floor, target)


def _case(setting: Setting, film: Film, with_peers: bool, machine: Machine) -> Case:
    planes = _distinct_frames(film.layout, film.height, film.width, film.moving)
    expected = _expected(film)
    floor = floor_bytes(film, sum(plane[0].nbytes for plane in planes), int(np.count_nonzero(expected.counts)))
    originals = [machine.arrays.asarray(plane) for plane in planes]
    sets = [
        tuple(_film_strip(machine, plane, film.pairs) for plane in originals)
        for _ in range(input_sets(floor, machine.cache_bytes))
    ]
    comparing = Comparing(film, machine, sets, expected)
    ours = {b.name: partial(_ours, comparing, b) for b in setting.backends}
    peers = setting.yardsticks.motion(comparing) if with_peers else {}
    return Case(film.pairs * film.height * film.width, "px", ours, peers, len(sets), floor)


def _film_strip(machine: Machine, originals: Any, pairs: int) -> Any:
    strip = machine.arrays.empty((pairs + 1, *originals.shape[1:]), np.uint8)
    for i in range(pairs + 1):
        strip[i] = originals[i % DISTINCT]
    return strip


def _ours(comparing: Comparing, backend: Backend) -> Work:
    film, expected, layout = comparing.film, comparing.expected, comparing.layout
    shape = (film.height, film.width)
    adopted = [tuple(map(backend.asarray, planes)) for planes in comparing.sets]
    inputs = [(_frames(layout, planes, 0), _frames(layout, planes, slice(1, None))) for planes in adopted]
    mask = backend.asarray(_mask(*shape)) if film.masked else None

    def sums() -> tuple[Any, Any, Any]:
        decayed = backend.zeros(shape, np.float64) if film.decayed else None
        return backend.zeros(shape, np.uint32), backend.zeros((film.pairs,), np.uint32), decayed

    def compare(frames: tuple[Any, Any], counts: Any, moved: Any, decayed: Any) -> None:
        backend.add_motion(
            *frames,
            layout,
            threshold=THRESHOLD,
            moved=moved,
            counts=counts,
            mask=mask,
            decayed=decayed,
            weights=expected.weights if film.decayed else None,
        )

    def off_by() -> float:
        counts, moved, decayed = sums()
        compare(inputs[0], counts, moved, decayed)
        off = [difference(backend.to_host(counts), expected.counts), difference(backend.to_host(moved), expected.moved)]
        return max(*off, 0.0 if decayed is None else difference(backend.to_host(decayed), expected.decayed))

    outputs = [sums() for _ in inputs]
    return Work(
        lambda i: compare(inputs[i % len(inputs)], *outputs[i % len(inputs)]), off_by, finish=backend.synchronize
    )


def _frames(layout: FrameLayout, planes: tuple[Any, ...], which: int | slice) -> Any:
    """Some of the frames, as a backend takes them."""
    return tuple(plane[which] for plane in planes) if layout.planar else planes[0][which]


# ---- what comes out ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=KEPT)
def _distinct_frames(layout: str, height: int, width: int, moving: str) -> tuple[NDArray[np.uint8], ...]:
    """The planes (DISTINCT, ...) of the frames a film goes round in."""
    random = np.random.default_rng(1)
    shapes = LAYOUTS[layout].plane_shapes(height, width)
    return tuple((moving_band if moving == "band" else noise)(random, (DISTINCT, *shape)) for shape in shapes)


@lru_cache(maxsize=KEPT)
def _moved_pixels(layout: str, height: int, width: int, moving: str) -> NDArray[np.bool_]:
    """(DISTINCT, h, w): whether a pixel moved from one of the frames to the next, or from the last to the first."""
    planes = _distinct_frames(layout, height, width, moving)
    round_again = tuple(np.concatenate([plane, plane[:1]]) for plane in planes)
    moved = np.empty((DISTINCT, height, width), np.bool_)
    for i in range(DISTINCT):
        counts = np.zeros((height, width), np.uint32)
        get_backend("numpy").add_motion(
            _frames(LAYOUTS[layout], round_again, i),
            _frames(LAYOUTS[layout], round_again, slice(i + 1, i + 2)),
            LAYOUTS[layout],
            threshold=THRESHOLD,
            moved=np.zeros(1, np.uint32),
            counts=counts,
        )
        moved[i] = counts
    return moved


def _expected(film: Film) -> Expected:
    """The frames go round, so that each of the distinct pairs counts as often as it comes."""
    moved = _moved_pixels(film.layout, film.height, film.width, film.moving)
    if film.masked:
        moved = moved & (_mask(film.height, film.width) != 0)
    which = np.arange(film.pairs) % DISTINCT
    weights = (1 + np.arange(film.pairs)) / 32  # sums of them are exact in any order
    times = np.bincount(which, minlength=DISTINCT)
    weight = np.bincount(which, weights, minlength=DISTINCT)
    return Expected(
        counts=sum((moved[i] * np.uint32(times[i]) for i in range(DISTINCT)), np.zeros(moved[0].shape, np.uint32)),
        moved=np.count_nonzero(moved, axis=(1, 2)).astype(np.uint32)[which],
        weights=weights,
        decayed=sum((moved[i] * weight[i] for i in range(DISTINCT)), np.zeros(moved[0].shape)),
    )


def _mask(height: int, width: int) -> NDArray[np.uint8]:
    """The left third is not watched."""
    mask = np.ones((height, width), np.uint8)
    mask[:, : width // 3] = 0
    return mask
