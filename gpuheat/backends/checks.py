"""The checks of what goes into a backend's operations, for any kind of array that has a shape and a dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpuheat.errors import InputError, OptionError
from gpuheat.options import whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.backends.base import Array
    from gpuheat.grid import BinGrid
    from gpuheat.pixels import FrameLayout

__all__ = ["check_image", "check_motion", "check_points", "check_raised", "check_threshold", "planes_of"]


def check_points(histogram: Array, grid: BinGrid, x: Array, y: Array, weight: Array | None) -> None:
    """Raise InputError unless the arguments of ``add_points`` are as the contract says."""
    _check("histogram", histogram, grid.shape, ("uint64",), written=True)
    _check("x", x, (None,), ("float32", "float64"))
    _check("y", y, tuple(x.shape), (str(x.dtype),))
    if weight is not None:
        _check("weight", weight, tuple(x.shape), ("uint32",))


def check_motion(
    previous: Array,
    frames: Array,
    layout: FrameLayout,
    *,
    threshold: int,
    moved: Array,
    counts: Array | None,
    mask: Array | None,
    decayed: Array | None,
    weights: NDArray[np.float64] | None,
) -> None:
    """Raise InputError or OptionError unless the arguments of ``add_motion`` are as the contract says."""
    check_threshold(threshold)
    first, *more = planes_of(previous, layout, "previous")
    batch, *more_batches = planes_of(frames, layout, "frames")
    _check("previous", first, (None, None, *layout.frame_shape(2, 2)[2:]), ("uint8",))
    height, width = first.shape[:2]
    if height == 0 or width == 0:
        raise InputError(f"a frame must have at least one pixel, got {height} x {width}")
    if layout.planar and (height % 2 or width % 2):
        raise InputError(f"a {layout.pixel_format} frame must have even sides, got {height} x {width}")
    _check("frames", batch, (None, *first.shape), ("uint8",))
    for shape, plane, plane_batch in zip(layout.plane_shapes(height, width)[1:], more, more_batches, strict=True):
        _check("previous", plane, shape, ("uint8",))
        _check("frames", plane_batch, (batch.shape[0], *shape), ("uint8",))
    _check("moved", moved, (batch.shape[0],), ("uint32",), written=True)
    if mask is not None:
        _check("mask", mask, (height, width), ("uint8",))
    for name, array, dtype in (("counts", counts, "uint32"), ("decayed", decayed, "float64")):
        if array is not None:
            _check(name, array, (height, width), (dtype,), written=True)
    if (decayed is None) != (weights is None):
        raise OptionError("decayed and weights belong together: give both or neither")
    if weights is not None:
        _check("weights", weights, (batch.shape[0],), ("float64",))


def check_raised(raised: NDArray[np.uint64], number: int, height: int, width: int, stretch: int) -> None:
    """Raise InputError or OptionError unless ``raised`` and ``number`` are as ``MarkingBackend.add_motion`` says."""
    _check("raised", raised, (height, -(-width // stretch)), ("uint64",), written=True)
    whole_number("number", number, 0, 2**64 - 1)


def planes_of(frames: Array, layout: FrameLayout, name: str = "frames") -> tuple[Array, ...]:
    """The planes of one or several frames; a frame that is not planar is a plane of its own.

    Raises
    ------
    InputError
        If there are more or fewer planes than the layout has.
    """
    planes = tuple(frames) if layout.planar else (frames,)
    if len(planes) != len(layout.plane_shapes(2, 2)):
        raise InputError(
            f"{name} must be a tuple of the {len(layout.plane_shapes(2, 2))} planes of {layout.pixel_format}, "
            f"got {len(planes)}"
        )
    return planes


def check_image(image: Array) -> None:
    """Raise InputError unless the argument of ``gaussian_blur`` is as the contract says."""
    _check("image", image, (None, None), ("float32",))


def check_threshold(threshold: int) -> None:
    """Raise OptionError unless a threshold is a whole number from 0 to 255."""
    whole_number("threshold", threshold, 0, 255)


def _check(
    name: str, array: Array, shape: tuple[int | None, ...], dtypes: tuple[str, ...], *, written: bool = False
) -> None:
    got = tuple(array.shape)
    fits = len(got) == len(shape) and all(want in (None, have) for want, have in zip(shape, got, strict=True))
    if not fits or array.dtype not in dtypes:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        raise InputError(f"{name} must be {' or '.join(dtypes)} of shape ({sizes}), got {array.dtype} of shape {got}")
    if written and not getattr(array.flags, "writeable", True):
        raise InputError(f"{name} is added to in place, but it is read-only: give an array of its own")
