"""Blur: a picture, a histogram, and a kernel wider than most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.checking import difference
from benchmarks.gpu import peers
from benchmarks.gpu.case import NONE, SIZES, Case, Planned, Setting, Target, Work, input_sets
from gpuheat import get_backend
from gpuheat.backends import gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.gpu.device import Device
    from gpuheat import Backend

__all__ = ["planned"]

SHARE: Final = 0.70  # of the copy bandwidth, sigma 3 at 4K
CUPY: Final = "gaussian_filter"
TORCH: Final = "PyTorch conv2d"
TIMES: Final = {CUPY: 2.0}
FLOOR: Final = "each pixel read (4) and written (4) once; with all passes: once in each of the two (16)"


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture on the device, in several copies, and its blur."""

    device: Device
    sigma: float
    sets: list[Any]
    expected: NDArray[np.float32]


def planned(setting: Setting) -> list[Planned]:
    """All cases of the blur."""
    large, small = (SIZES["360p"],) * 2 if setting.quick else (SIZES["4K"], SIZES["1080p"])
    cases = (
        (3.0, large, NONE if setting.quick else Target(SHARE, TIMES)),
        (9.0, (225, 300), NONE),
        (38.0, small, NONE),
    )
    return [
        Planned(f"blur, sigma {sigma:g}, {size[1]} x {size[0]}", partial(_case, setting, sigma, size), FLOOR, target)
        for sigma, size, target in cases
    ]


def _case(setting: Setting, sigma: float, size: tuple[int, int], device: Device) -> Case:
    image = np.random.default_rng(3).random(size, dtype=np.float32)
    floor = 2 * image.nbytes
    sets = [device.arrays.asarray(image).copy() for _ in range(input_sets(floor, device.cache_bytes))]
    scene = Scene(device, sigma, sets, get_backend("numpy").gaussian_blur(image, sigma))
    ours = {b.name: partial(_ours, scene, b) for b in setting.backends}
    others: dict[str, Callable[[], Work]] = {CUPY: partial(_cupy, scene)}
    if setting.torch is not None:
        others[TORCH] = partial(_torch, scene, setting.torch)
    return Case(image.size, "px", ours, others, len(sets), floor, 2 * floor)


def _kept(scene: Scene, blur: Callable[[int], Any]) -> Callable[[int], object]:
    """Results stay for one round, so that new ones do not land in memory that is still in the cache."""
    results: deque[Any] = deque(maxlen=len(scene.sets))
    return lambda i: results.append(blur(i % len(scene.sets)))


def _ours(scene: Scene, backend: Backend) -> Work:
    images = [backend.asarray(image) for image in scene.sets]

    def blur(i: int) -> Any:
        return backend.gaussian_blur(images[i], scene.sigma)

    taps = gaussian.weights(scene.sigma).size
    allowed = 2 * taps * float(np.finfo(np.float32).eps)  # two passes; no pixel is brighter than 1
    return Work(_kept(scene, blur), lambda: difference(backend.to_host(blur(0)), scene.expected), allowed)


def _cupy(scene: Scene) -> Work:
    radius = gaussian.weights(scene.sigma).size // 2

    def blur(i: int) -> Any:
        return peers.cupy_blur(scene.sets[i], scene.sigma, radius)

    return Work(_kept(scene, blur), lambda: difference(scene.device.to_host(blur(0)), scene.expected))


def _torch(scene: Scene, torch: Any) -> Work:
    images = list(map(torch.from_dlpack, scene.sets))
    weights = torch.from_numpy(gaussian.weights(scene.sigma)).to(images[0].device)

    def blur(i: int) -> Any:
        return peers.torch_blur(torch, images[i], weights)

    return Work(_kept(scene, blur), lambda: difference(blur(0).cpu().numpy(), scene.expected))
