"""Motion: every layout, realistic and worst content, masked, decayed, small batches and awkward widths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.checking import difference
from benchmarks.content import moving_band, noise
from benchmarks.gpu import peers
from benchmarks.gpu.case import NONE, SIZES, Case, Planned, Setting, Target, Work, input_sets
from gpuheat import FrameLayout, get_backend
from gpuheat.pixels import YUV_TO_BGR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.gpu.device import Device
    from gpuheat import Backend

__all__ = ["LAYOUTS", "Film", "floor_bytes", "planned"]

THRESHOLD: Final = 25
DISTINCT: Final = 4  # frames; a batch shows them over and over, so that the reference has to compare no others
KEPT: Final = 12  # reels of distinct frames, about 130 MB each at 4K
CONVERSION: Final = YUV_TO_BGR["bt709", "limited"]
LAYOUTS: Final = {
    "gray8": FrameLayout.GRAY8,
    "bgr24": FrameLayout.BGR24,
    "yuv420p": FrameLayout("yuv420p", CONVERSION),
    "nv12": FrameLayout("nv12", CONVERSION),
}
SHARES: Final = {"gray8": 0.85, "bgr24": 0.75, "nv12": 0.50}  # of the copy bandwidth, 32 pairs at 4K
CUPY: Final = "CuPy expression"
TORCH: Final = "PyTorch expression"
TIMES: Final = {CUPY: 8.0}


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
class Scene:
    """A film on the device, in several copies, and what it gives."""

    film: Film
    device: Device
    sets: list[tuple[Any, ...]]
    expected: Expected


def planned(setting: Setting) -> list[Planned]:
    """All cases of motion."""
    large, small = (SIZES["360p"],) * 2 if setting.quick else (SIZES["4K"], SIZES["1080p"])
    pairs = 8 if setting.quick else 32
    cases = []
    for layout in LAYOUTS:
        film = Film(layout, *large, pairs)
        planar = LAYOUTS[layout].planar
        target = NONE if setting.quick else Target(SHARES.get(layout), TIMES)
        cases.append(_planned(setting, film, target, with_peers=True))
        cases.append(_planned(setting, replace(film, moving="noise")))
        cases.append(_planned(setting, replace(film, masked=True)))
        cases.append(_planned(setting, replace(film, decayed=True)))
        cases.append(_planned(setting, replace(film, width=film.width - (2 if planar else 3))))
        cases.append(_planned(setting, replace(film, pairs=1)))
        if small != large:
            cases.append(_planned(setting, Film(layout, *small, pairs), with_peers=True))
    return cases


def floor_bytes(film: Film, frame_bytes: int, moved_pixels: int) -> int:
    """Every frame once, the sums of a pixel once in and once out where it moved in the batch, the mask once."""
    sums = moved_pixels * (8 + 16 * film.decayed)
    return (film.pairs + 1) * frame_bytes + sums + film.height * film.width * film.masked


def _planned(setting: Setting, film: Film, target: Target = NONE, *, with_peers: bool = False) -> Planned:
    floor = "each frame read once; per pixel that moved, its count read and written (8)"
    floor += " and its decayed sum (16)" * film.decayed + "; mask read once" * film.masked
    return Planned(film.name, partial(_case, setting, film, with_peers), floor, target)


def _case(setting: Setting, film: Film, with_peers: bool, device: Device) -> Case:
    planes = _distinct_frames(film.layout, film.height, film.width, film.moving)
    expected = _expected(film)
    floor = floor_bytes(film, sum(plane[0].nbytes for plane in planes), int(np.count_nonzero(expected.counts)))
    originals = [device.arrays.asarray(plane) for plane in planes]
    sets = [
        tuple(_film_strip(device, plane, film.pairs) for plane in originals)
        for _ in range(input_sets(floor, device.cache_bytes))
    ]
    scene = Scene(film, device, sets, expected)
    ours = {b.name: partial(_ours, scene, b) for b in setting.backends}
    others: dict[str, Callable[[], Work]] = {}
    if with_peers:
        others[CUPY] = partial(_cupy, scene)
        if setting.torch is not None and not LAYOUTS[film.layout].planar:
            others[TORCH] = partial(_torch, scene, setting.torch)
    return Case(film.pairs * film.height * film.width, "px", ours, others, len(sets), floor)


def _film_strip(device: Device, originals: Any, pairs: int) -> Any:
    strip = device.arrays.empty((pairs + 1, *originals.shape[1:]), np.uint8)
    for i in range(pairs + 1):
        strip[i] = originals[i % DISTINCT]
    return strip


def _ours(scene: Scene, backend: Backend) -> Work:
    film, expected, layout = scene.film, scene.expected, LAYOUTS[scene.film.layout]
    shape = (film.height, film.width)
    adopted = [tuple(map(backend.asarray, planes)) for planes in scene.sets]
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
    return Work(lambda i: compare(inputs[i % len(inputs)], *outputs[i % len(inputs)]), off_by)


def _frames(layout: FrameLayout, planes: tuple[Any, ...], which: int | slice) -> Any:
    """Some of the frames, as a backend takes them."""
    return tuple(plane[which] for plane in planes) if layout.planar else planes[0][which]


def _cupy(scene: Scene) -> Work:
    cupy, layout = scene.device.arrays, LAYOUTS[scene.film.layout]
    shape = (scene.film.height, scene.film.width)
    counts = cupy.zeros(shape, np.uint32)

    def off_by() -> float:
        fresh = cupy.zeros(shape, np.uint32)
        peers.cupy_motion(cupy, layout, scene.sets[0], fresh, THRESHOLD)
        return difference(scene.device.to_host(fresh), scene.expected.counts)

    def run(i: int) -> None:
        peers.cupy_motion(cupy, layout, scene.sets[i % len(scene.sets)], counts, THRESHOLD)

    return Work(run, off_by)


def _torch(scene: Scene, torch: Any) -> Work:
    frames = [torch.from_dlpack(planes[0]) for planes in scene.sets]

    def zeros() -> Any:
        return torch.zeros((scene.film.height, scene.film.width), dtype=torch.int32, device=frames[0].device)

    def off_by() -> float:
        fresh = zeros()
        peers.torch_motion(torch, frames[0], fresh, THRESHOLD)
        return difference(fresh.cpu().numpy(), scene.expected.counts)

    counts = zeros()
    return Work(lambda i: peers.torch_motion(torch, frames[i % len(frames)], counts, THRESHOLD), off_by)


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
