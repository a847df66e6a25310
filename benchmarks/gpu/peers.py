"""The other ways to do the same on a GPU: what one would write with CuPy, PyTorch or CV-CUDA."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from gpuheat.kernels import grey
from gpuheat.pixels import FrameLayout, to_bgr

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpuheat import BinGrid

__all__ = [
    "LARGEST_SIGMA_OF_CVCUDA",
    "cupy_blur",
    "cupy_histogram",
    "cupy_motion",
    "cvcuda_blur",
    "find_cvcuda",
    "find_torch",
    "torch_bincount",
    "torch_blur",
    "torch_histogramdd",
    "torch_motion",
]


LARGEST_SIGMA_OF_CVCUDA: Final = 3.0
"""Its kernel is not separated, so that the work grows with the square of its size."""


def find_torch() -> tuple[Any | None, str]:
    """PyTorch where it can use the GPU, else None and why."""
    if find_spec("torch") is None:
        return None, "PyTorch is not installed and not measured"
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as error:
        return None, f"PyTorch cannot be imported and is not measured: {error}"
    if not torch.cuda.is_available():
        return None, "PyTorch finds no GPU and is not measured"
    torch.backends.cudnn.allow_tf32 = False  # else its convolution keeps 10 bits of the picture
    torch.backends.cudnn.benchmark = True
    return torch, f"PyTorch {torch.__version__}: eager, convolution in float32, the fastest of cuDNN's ways"


def find_cvcuda() -> tuple[Any | None, str]:
    """CV-CUDA where it can be loaded, else None and why."""
    if find_spec("cvcuda") is None:
        return None, "CV-CUDA is not installed and not measured"
    try:
        cvcuda = import_module("cvcuda")
    except ImportError as error:
        return None, f"CV-CUDA cannot be imported and is not measured: {error}"
    return cvcuda, f"CV-CUDA {cvcuda.__version__}: its Gaussian, up to sigma {LARGEST_SIGMA_OF_CVCUDA:g}"


def cupy_motion(cupy: Any, layout: FrameLayout, frames: tuple[Any, ...], counts: Any, threshold: int) -> None:
    """Absolute difference, weighted grey, threshold, add: pair by pair. ``frames`` are planes (t + 1, ...)."""

    def picture(i: int) -> Any:
        return to_bgr(tuple(plane[i] for plane in frames), layout) if layout.planar else frames[0][i]

    before = picture(0)
    for i in range(1, len(frames[0])):
        now = picture(i)
        changed = cupy.maximum(before, now) - cupy.minimum(before, now)
        counts += _grey(changed, lambda channel: channel.astype(cupy.int32)) > threshold
        before = now


def torch_motion(torch: Any, frames: Any, counts: Any, threshold: int) -> None:
    """The same with PyTorch, on frames (t + 1, h, w) or (t + 1, h, w, 3); ``counts`` int32."""
    for i in range(1, len(frames)):
        changed = (frames[i].to(torch.int16) - frames[i - 1].to(torch.int16)).abs()
        counts += _grey(changed, lambda channel: channel.to(torch.int32)) > threshold


def _grey(changed: Any, to_int32: Callable[[Any], Any]) -> Any:
    """The grey value of a difference, (h, w) or (h, w, 3)."""
    if changed.ndim == 2:
        return changed
    blue, green, red = (to_int32(changed[..., channel]) for channel in range(3))
    return (grey.BLUE * blue + grey.GREEN * green + grey.RED * red + grey.HALF) >> grey.SHIFT


def cupy_histogram(cupy: Any, grid: BinGrid, x: Any, y: Any) -> Any:
    """``cupy.histogram2d``, (ny, nx) float64."""
    return cupy.histogram2d(y, x, bins=list(grid.shape), range=[[0, grid.height], [0, grid.width]])[0]


def torch_bincount(torch: Any, grid: BinGrid, x: Any, y: Any) -> Any:
    """Multiply, cut off, count: points on an edge may fall beside it. All points lie inside."""
    column = (x * (grid.nx / grid.width)).to(torch.int64).clamp_(max=grid.nx - 1)
    row = (y * (grid.ny / grid.height)).to(torch.int64).clamp_(max=grid.ny - 1)
    return torch.bincount(row.mul_(grid.nx).add_(column), minlength=grid.nx * grid.ny).reshape(grid.shape)


def torch_histogramdd(torch: Any, grid: BinGrid, x: Any, y: Any) -> Any:
    """``torch.histogramdd``, (ny, nx) of the points' type."""
    extent = [0.0, grid.height, 0.0, grid.width]
    return torch.histogramdd(torch.stack([y, x], dim=-1), bins=list(grid.shape), range=extent).hist


def cupy_blur(image: Any, sigma: float, radius: int) -> Any:
    """``cupyx.scipy.ndimage.gaussian_filter`` with as many weights."""
    ndimage = import_module("cupyx.scipy.ndimage")
    return ndimage.gaussian_filter(image, sigma, mode="mirror", truncate=radius / sigma)


def cvcuda_blur(cvcuda: Any, cupy: Any, image: Any, sigma: float, radius: int) -> Any:
    """``cvcuda.gaussian_into`` with as many weights, on CuPy's current stream; all products of a square kernel."""
    blurred = cupy.empty_like(image)
    of, into = (cvcuda.as_tensor(array[..., None], "HWC") for array in (image, blurred))
    size, stream = 2 * radius + 1, cvcuda.as_stream(cupy.cuda.get_current_stream())
    cvcuda.gaussian_into(into, of, (size, size), (sigma, sigma), cvcuda.Border.REFLECT101, stream=stream)
    return blurred


def torch_blur(torch: Any, image: Any, weights: Any) -> Any:
    """Reflected border and two ``conv2d``; ``weights`` (2 r + 1,)."""
    functional = torch.nn.functional
    radius = weights.shape[0] // 2
    padded = functional.pad(image[None, None], (radius, radius, radius, radius), mode="reflect")
    along_rows = functional.conv2d(padded, weights[None, None, None, :])
    return functional.conv2d(along_rows, weights[None, None, :, None])[0, 0]
