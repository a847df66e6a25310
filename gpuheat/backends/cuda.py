"""What the CUDA backends share: from the contract's arguments to the launch of a kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points, planes_of
from gpuheat.backends.host import HostArrays, lies_on_gpu
from gpuheat.errors import InputError, OptionError
from gpuheat.kernels import geometry, grey
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import DTypeLike, NDArray

    from gpuheat.backends.cuda_upload import Uploader
    from gpuheat.grid import BinGrid

__all__ = ["Comparison", "CudaBackend", "Plane", "Points"]

Array = Any
GRIDS_KEPT: Final = 8


@dataclass(frozen=True)
class Plane:
    """One plane of the frame before a batch, and of the batch; distances in bytes.

    The bytes of a row follow each other. ``pitch`` leads to the next row, ``stride`` to the next frame; both may
    be anything, also negative.
    """

    previous: Array
    previous_pitch: int
    frames: Array
    pitch: int
    stride: int


@dataclass(frozen=True)
class Comparison:
    """One launch of a motion kernel; arrays are contiguous, but for those of the planes.

    ``rows`` and ``width`` are those of a frame in px, or one row with all pixels where rows follow each other
    without a gap. ``limit`` is the threshold for grey frames, else grey.lowest_moving_sum of it.
    """

    layout: FrameLayout
    planes: tuple[Plane, ...]
    rows: int
    width: int
    pairs: int
    limit: int
    mask: Array | None
    counts: Array | None
    decayed: Array | None
    weights: Array | None
    moved: Array

    @property
    def factors(self) -> tuple[int, ...]:
        """The six factors of the colour conversion (YuvToBgr); none for frames that are not planar."""
        by = self.layout.conversion
        return () if by is None else (by.black, by.gain, by.red_v, by.green_u, by.green_v, by.blue_u)


@dataclass(frozen=True)
class Points:
    """One launch of a histogram kernel; arrays are contiguous.

    ``scales`` and ``margins`` are those of BinGrid, meant for products of the type ``products``.
    """

    x: Array
    y: Array
    weight: Array | None
    edges: tuple[Array, Array]
    bins: tuple[int, int]
    products: np.dtype[Any]
    scales: tuple[float, float]
    margins: tuple[float, float]
    histogram: Array


class CudaBackend(ABC):
    """The contract on a CUDA device; see :class:`gpuheat.backends.base.Backend` for what the operations do.

    Work goes to the caller's current stream. What a subclass adds: its arrays, and how its kernels are launched.
    """

    native_formats = ("yuv420p", "nv12")
    frames_at_once = 64
    bytes_at_once = 1 << 26  # held three times: as they wait, as they are counted, and those before, for the last one
    name: str
    pairs_at_once: int
    """Pairs one launch can count."""

    def __init__(self, limits: geometry.Device, uploader: Uploader) -> None:
        self._limits = limits
        self._uploader = uploader
        self._host = HostArrays()
        self._edges: dict[BinGrid, tuple[Array, Array]] = {}

    # ---- arrays --------------------------------------------------------------------------------------------------

    def asarray(self, values: object) -> Array:
        """An array on the device: the same memory where it lies there already, else a copy.

        Arrays of CuPy, PyTorch, Numba, JAX, and all others with ``__cuda_array_interface__`` or DLPack are taken
        without a copy. Host memory may be written to again as soon as the call has returned.

        Raises
        ------
        InputError
            If it is not an array of numbers, or lies on another device.
        DeviceMemoryError
            If it does not fit into the device's memory.
        """
        with self._on_device():
            if self._lies_on_gpu(values):
                return self._adopt(values)
            return self._uploader.upload(self._host.asarray(values))

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array of zeros."""
        with self._on_device():
            array = self._empty(shape, np.dtype(dtype))
            self._clear(array)
            return array

    def copy(self, array: Array) -> Array:
        """The same values in memory of their own, their rows without gaps."""
        with self._on_device():
            return self._copy(array)

    def gather(self, frames: Sequence[Sequence[Array]]) -> tuple[Array, ...]:
        """Frames that come one by one as a batch: for each plane an array of our own, (t, ...) and C-contiguous.

        Each frame is the sequence of its planes, all alike in shape and dtype; they may lie in the host's memory,
        which may be written to again at once, or on the device. Planes that :meth:`decoded` gave may be given up at
        once, too: the decoder writes to their memory only after they were read here.

        Raises
        ------
        DeviceMemoryError
            If the batch does not fit into the device's memory.
        """
        with self._on_device(), self._between_decoding():
            batch = []
            for planes in zip(*frames, strict=True):
                target = self._empty((len(planes), *planes[0].shape), np.dtype(str(planes[0].dtype)))
                for place, plane in enumerate(planes):
                    if self._is_own(plane):
                        target[place] = plane
                    else:
                        self._uploader.upload(plane, target[place])
                batch.append(target)
            return tuple(batch)

    def _between_decoding(self) -> AbstractContextManager[None]:
        """Have what the current stream is asked for within come after all the decoder did, and before all it will."""
        return nullcontext()

    @abstractmethod
    def to_host(self, array: Array) -> NDArray[Any]:
        """The values as a NumPy array. Waits for the device."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything asked for so far is done."""

    @abstractmethod
    def _finish(self) -> None:
        """Wait until the device has nothing left to do, on any stream."""

    @abstractmethod
    def _on_device(self) -> AbstractContextManager[None]:
        """Make the device current, and an error of its memory a DeviceMemoryError."""

    def _lies_on_gpu(self, values: object) -> bool:
        return lies_on_gpu(values)

    @abstractmethod
    def _adopt(self, values: Any) -> Array:
        """An array of our own kind on the same memory."""

    @abstractmethod
    def _is_own(self, array: Array) -> bool:
        """Whether this is an array of our own kind, on our device."""

    @abstractmethod
    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """A new C-contiguous array of anything."""

    @abstractmethod
    def _clear(self, array: Array) -> None:
        """Set a C-contiguous array to zero."""

    @abstractmethod
    def _copy(self, array: Array) -> Array:
        """A C-contiguous copy of any array."""

    @abstractmethod
    def _address(self, array: Array) -> int:
        """Where the first element lies."""

    def _alignment(self, comparison: Comparison) -> int:
        """The widest load that suits all planes; U and V of yuv420p are loaded half as wide as Y."""
        halves = comparison.layout.pixel_format == "yuv420p"
        widest = []
        for i, plane in enumerate(comparison.planes):
            numbers = [*map(self._address, (plane.previous, plane.frames))]
            if comparison.pairs > 1:
                numbers.append(plane.stride)
            if comparison.rows > 1:
                numbers += [plane.previous_pitch, plane.pitch]
            half = 16 if halves and i > 0 and geometry.alignment(*(2 * number for number in numbers)) == 16 else 0
            widest.append(max(half, geometry.alignment(*numbers)))
        return min(widest)

    # ---- operations ----------------------------------------------------------------------------------------------

    def add_points(self, histogram: Array, grid: BinGrid, x: Array, y: Array, weight: Array | None = None) -> None:
        """Points into bins: private ones in shared memory where that pays, or those in global memory."""
        check_points(histogram, grid, x, y, weight)
        self._check_own(histogram, x, y, weight)
        if x.size == 0:
            return
        products = _products(np.dtype(str(x.dtype)), grid)
        with self._on_device():
            own = self._contiguous(histogram)
            self._add_points(
                Points(
                    x=self._contiguous(x),
                    y=self._contiguous(y),
                    weight=None if weight is None else self._contiguous(weight),
                    edges=self._device_edges(grid),
                    bins=(grid.nx, grid.ny),
                    products=products,
                    scales=grid.scales,
                    margins=grid.margins(products),
                    histogram=own,
                )
            )
            self._give_back(histogram, own)

    def add_motion(
        self,
        previous: Array,
        frames: Array,
        layout: FrameLayout,
        *,
        threshold: int,
        moved: Array,
        counts: Array | None = None,
        mask: Array | None = None,
        decayed: Array | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """One pass over the frames: the one before and the counts stay in registers."""
        check_motion(
            previous,
            frames,
            layout,
            threshold=threshold,
            moved=moved,
            counts=counts,
            mask=mask,
            decayed=decayed,
            weights=weights,
        )
        if layout.pixel_format == "gray8" and layout.conversion is not None:
            raise OptionError(f"{self.name} compares gray8 frames of the range 0 to 255 alone: bring them there before")
        self._check_own(*planes_of(previous, layout), *planes_of(frames, layout), moved, counts, mask, decayed)
        pairs = moved.shape[0]
        if pairs == 0:
            return
        limit = threshold if layout == FrameLayout.GRAY8 else grey.lowest_moving_sum(threshold)
        with self._on_device():
            before = [self._with_whole_rows(plane, 0) for plane in planes_of(previous, layout)]
            batch = [self._with_whole_rows(plane, 1) for plane in planes_of(frames, layout)]
            own_moved: Array = self._contiguous(moved)
            own_counts, own_decayed, own_mask = map(self._contiguous, (counts, decayed, mask))
            own_weights = None if weights is None else self._uploader.upload(np.ascontiguousarray(weights))
            self._clear(own_moved)
            for first in range(0, pairs, self.pairs_at_once):
                some = slice(first, min(pairs, first + self.pairs_at_once))
                planes = tuple(_plane(one, plane[some]) for one, plane in zip(before, batch, strict=True))
                rows, width = _extent(planes, layout, *before[0].shape[:2])
                self._compare(
                    Comparison(
                        layout,
                        planes,
                        rows,
                        width,
                        pairs=some.stop - first,
                        limit=limit,
                        mask=own_mask,
                        counts=own_counts,
                        decayed=own_decayed,
                        weights=None if own_weights is None else own_weights[some],
                        moved=own_moved[some],
                    )
                )
                before = [plane[some.stop - 1] for plane in batch]
            for array, own in ((moved, own_moved), (counts, own_counts), (decayed, own_decayed)):
                self._give_back(array, own)

    def gaussian_blur(self, image: Array, sigma: float) -> Array:
        """Along the rows and along the columns, with the weights of the other backends."""
        check_image(image)
        self._check_own(image)
        weights = gaussian.weights(sigma)
        with self._on_device():
            blurred = self._empty(tuple(image.shape), np.dtype(np.float32))
            if image.size > 0:
                self._blur(self._contiguous(image), self._uploader.upload(weights), blurred)
            return blurred

    @abstractmethod
    def _add_points(self, points: Points) -> None:
        """Launch a histogram kernel."""

    @abstractmethod
    def _compare(self, comparison: Comparison) -> None:
        """Launch a motion kernel for at most ``pairs_at_once`` pairs."""

    @abstractmethod
    def _blur(self, image: Array, weights: Array, blurred: Array) -> None:
        """Launch the blur of an image along its rows and its columns; all arrays are contiguous."""

    def _check_own(self, *arrays: Array | None) -> None:
        for array in arrays:
            if array is not None and not self._is_own(array):
                kind = f"{type(array).__module__}.{type(array).__qualname__}"
                raise InputError(f"{kind} is no array of the backend {self.name}: its asarray() makes one of it")

    # ---- how arrays lie ------------------------------------------------------------------------------------------

    def _contiguous(self, array: Array | None) -> Array | None:
        """The array itself where it is C-contiguous, else a copy."""
        return array if array is None or _is_packed(array, 0) else self._copy(array)

    def _give_back(self, array: Array | None, own: Array | None) -> None:
        """Write into an array what was computed in its contiguous copy."""
        if array is not None and own is not array:
            array[...] = own

    def _with_whole_rows(self, plane: Array, frame_axes: int) -> Array:
        """The plane itself where the bytes of each row follow each other, else a copy."""
        return plane if _is_packed(plane, frame_axes + 1) else self._copy(plane)

    def _device_edges(self, grid: BinGrid) -> tuple[Array, Array]:
        """The edges of a grid on the device, kept for the next points."""
        edges = self._edges.get(grid)
        if edges is None:
            if len(self._edges) >= GRIDS_KEPT:
                self._finish()  # whatever stream still reads the old ones
                self._edges = {}
            edges = self._uploader.upload(grid.x_edges), self._uploader.upload(grid.y_edges)
            self.synchronize()  # once: the next points may come on another stream
            self._edges[grid] = edges
        return edges


def _products(coordinates: np.dtype[Any], grid: BinGrid) -> np.dtype[Any]:
    """In what type coordinates are turned into bins: their own, unless its error is too large for so many bins."""
    return coordinates if max(grid.nx, grid.ny) <= 1 << 19 else np.dtype(np.float64)


def _is_packed(array: Array, first_axis: int) -> bool:
    """Whether the elements follow each other in the axes from ``first_axis`` on."""
    distance = array.dtype.itemsize
    for axis in range(len(array.shape) - 1, first_axis - 1, -1):
        if array.shape[axis] > 1 and array.strides[axis] != distance:
            return False
        distance *= array.shape[axis]
    return True


def _plane(previous: Array, frames: Array) -> Plane:
    """How a plane lies in memory; where there is one row or frame, its distance is that of packed ones."""
    rows, row_bytes = previous.shape[0], int(np.prod(previous.shape[1:]))
    return Plane(
        previous,
        previous.strides[0] if rows > 1 else row_bytes,
        frames,
        frames.strides[1] if rows > 1 else row_bytes,
        frames.strides[0] if frames.shape[0] > 1 else rows * row_bytes,
    )


def _extent(planes: tuple[Plane, ...], layout: FrameLayout, height: int, width: int) -> tuple[int, int]:
    """Rows and width as the kernel is told them: one long row where rows follow each other without a gap."""
    row_bytes = width * (3 if layout == FrameLayout.BGR24 else 1)
    if not layout.planar and planes[0].previous_pitch == planes[0].pitch == row_bytes:
        return 1, height * width
    return height, width
