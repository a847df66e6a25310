"""The contract every backend fulfils.

A backend computes three operations on arrays of its own: points into a histogram, motion into counts,
and a blur. Results go into arrays the caller made with :meth:`Backend.zeros`, in place, so that counts
live where they are computed until somebody asks for them. Only :meth:`Backend.to_host` and
:meth:`Backend.synchronize` wait for a device, and :meth:`Backend.add_points` where it has not seen a grid lately.

Whatever the backend, the integers come out the same to the last bit, and the blur within
``(2 r + 1) * eps * max|image|`` for each of its two passes (r: radius of the kernel in px, eps: that of
float32). A GPU may take float32 numbers below 1.2e-38 for 0 there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import DTypeLike, NDArray

    from gpuheat.grid import BinGrid
    from gpuheat.pixels import FrameLayout

__all__ = ["Array", "Backend", "DecodingBackend", "GatheringBackend", "MarkingBackend", "SummingBackend"]

Array = Any
"""An array of the backend's own kind: ``numpy.ndarray``, ``cupy.ndarray``, a Numba device array."""


class Backend(Protocol):
    """Three operations and the arrays they work on.

    Arguments of the wrong shape, dtype or size raise :class:`gpuheat.errors.InputError`; nothing is
    ever cast in silence. :mod:`gpuheat.backends.checks` holds those checks for all backends.
    """

    @property
    def name(self) -> str:
        """The name it is asked for by: ``"numpy"``, ``"numba"``, ``"cupy:1"``."""

    @property
    def device(self) -> str:
        """What it computes on, for people: ``"CPU, 2 threads"``."""

    @property
    def native_formats(self) -> tuple[str, ...]:
        """The pixel formats it had rather be given as a decoder has them than converted before.

        Planar ones, which would become BGR; and gray8, of luma that would be brought to 0..255.
        """

    def asarray(self, values: object) -> Array:
        """Adopt an array without a copy where it already lies in the right place.

        Takes the backend's own arrays, NumPy arrays, and whatever offers DLPack or the buffer protocol; a backend
        on a GPU also what offers ``__cuda_array_interface__``. Dtype and values stay as they are; only foreign
        byte order is turned into the machine's. What is copied to a device may be written to once this returned.

        Raises :class:`gpuheat.errors.DeviceMemoryError` where a device's memory does not suffice.
        """

    def copy(self, array: Array) -> Array:
        """The same values in memory of their own."""

    def to_host(self, array: Array) -> NDArray[Any]:
        """The values as a NumPy array. Waits for the device."""

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array of zeros."""

    def synchronize(self) -> None:
        """Wait until everything asked for so far is done."""

    def add_points(self, histogram: Array, grid: BinGrid, x: Array, y: Array, weight: Array | None = None) -> None:
        """Add every point's weight to the bin it falls in, where ``numpy.histogram2d`` puts it.

        Parameters
        ----------
        histogram
            (ny, nx) uint64, added to in place.
        grid
            The bins.
        x, y
            (n,) float32 or float64, both the same, in px. NaN and points outside the grid are left out.
        weight
            (n,) uint32; None is 1 for every point.
        """

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
        """Compare each frame with the one before it and count the pixels that moved.

        A pixel moved when the grey value of the absolute difference is above the threshold
        (:mod:`gpuheat.kernels.grey`; a grey frame's difference is its own grey value). Planar frames are
        compared as the BGR pictures they stand for (:class:`gpuheat.pixels.YuvToBgr`).

        ``previous`` is an argument of its own, and not the first of ``frames``, so that a stream needs
        neither a copy that puts the two together nor a second upload of the last frame.

        Parameters
        ----------
        previous
            The frame before the first of ``frames``, uint8, as ``layout`` says: (h, w, 3), (h, w), or a tuple
            of planes.
        frames
            The same with t in front: (t, h, w, 3), (t, h, w), or a tuple of (t, ...) planes. Rows may be
            padded.
        layout
            How the frames lie in memory.
        threshold
            0 to 255.
        moved
            (t,) uint32, set to the number of moved pixels of each pair.
        counts
            (h, w) uint32, raised by 1 where a pixel moved; None only fills ``moved``.
        mask
            (h, w) uint8; a pixel counts only where it is not zero. None: everywhere.
        decayed
            (h, w) float64, raised by the pair's weight where a pixel moved.
        weights
            (t,) float64 on the host, one weight per pair; given exactly when ``decayed`` is.
        """

    def gaussian_blur(self, image: Array, sigma: float) -> Array:
        """A blurred copy: separable, with the weights of :func:`gpuheat.backends.gaussian.weights`.

        Parameters
        ----------
        image
            (h, w) float32. The border is mirrored without repeating the edge (OpenCV's
            ``BORDER_REFLECT_101``), as often as it takes where the kernel is wider than the image.
        sigma
            Standard deviation in px, at least 0; 0 copies.

        Returns
        -------
        Array
            (h, w) float32.
        """


@runtime_checkable
class MarkingBackend(Backend, Protocol):
    """A backend on the host that can tell where it raised the counts and the decayed sums."""

    @property
    def stretch(self) -> int:
        """So many pixels of a row, px, are marked together."""

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
        raised: NDArray[np.uint64] | None = None,
        number: int = 0,
    ) -> None:
        """As :meth:`Backend.add_motion`.

        Parameters
        ----------
        raised
            (h, ceil(w / stretch)) uint64, set to ``number`` for each stretch of a row in which a pixel moved.
        number
            0 to 2**64 - 1.
        """


@runtime_checkable
class GatheringBackend(Protocol):
    """What a backend can do beyond the contract that had rather compare several frames at once."""

    @property
    def frames_at_once(self) -> int:
        """How many it had best be given."""

    @property
    def bytes_at_once(self) -> int:
        """Frames of more bytes than this together are given in smaller batches, at least one by one."""

    def gather(self, frames: Sequence[Sequence[Array]]) -> tuple[Array, ...]:
        """Frames that come one by one, each the sequence of its planes, as (t, ...) arrays of its own, one a plane.

        They may share memory with those.
        """


@runtime_checkable
class SummingBackend(GatheringBackend, Protocol):
    """What a backend can do beyond the contract that makes the mean of pictures which never are on the host."""

    def add_planes(self, sums: Array, frames: Array, weight: int) -> None:
        """Add up a plane of frames, byte by byte.

        Parameters
        ----------
        sums
            (...) uint32, added to in place.
        frames
            (t, ...) uint8, as ``gather`` gives them, or some in a row of these.
        weight
            How often each is added.
        """


@runtime_checkable
class DecodingBackend(GatheringBackend, Protocol):
    """What a backend can do beyond the contract on whose device FFmpeg may decode."""

    def decoder_device(self) -> AbstractContextManager[int]:
        """The number of the device, whose CUDA context is the calling thread's current one within.

        A decoder that is opened there with that context has its pictures where the backend can read them.
        """

    def decoded(self, planes: Sequence[Any]) -> tuple[Array, ...]:
        """A picture's planes as such a decoder left them, without a copy: arrays for ``gather`` and nothing else.

        ``planes`` have ``__dlpack__``. As long as one of the arrays lives, so does the picture.
        """
