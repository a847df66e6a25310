"""Counting fixations: where did people look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError
from gpuheat.fixation.heatmap import FixationHeatmap
from gpuheat.fixation.recording import RecordingHistograms
from gpuheat.grid import BinGrid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from gpuheat.fixation.recording import Unit

__all__ = ["FixationCounter"]


class FixationCounter:
    """Adds up weighted points in the bins of a reference image.

    Weights are whole numbers (the duration of a fixation in us, or 1), so the sums are exact and depend
    neither on the backend nor on the order of the points.

    Parameters
    ----------
    width, height
        Size of the reference image in px.
    bins
        Number of bins along its wider side; the other side has as many as fit in proportion.
    backend
        A name, or a backend; see :func:`gpuheat.get_backend`.

    Raises
    ------
    OptionError
        If a number is outside its range.
    BackendUnavailableError
        If the backend cannot run here.

    Examples
    --------
    >>> import numpy as np
    >>> counter = FixationCounter(400, 300, bins=4, backend="numpy")
    >>> counter.push(np.array([10.0, 399.0, np.nan]), np.array([10.0, 299.0, 5.0]))
    >>> counter.result().histogram.tolist(), counter.points, counter.points_outside
    ([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], 2, 1)
    """

    def __init__(self, width: int, height: int, *, bins: int = 300, backend: str | Backend = "auto") -> None:
        self.grid = BinGrid.for_image(width, height, bins)
        self.backend = get_backend(backend)
        self._whole = BinGrid(1, 1, self.grid.width, self.grid.height)
        self._histogram = self.backend.zeros(self.grid.shape, np.uint64)
        self._inside = self.backend.zeros(self._whole.shape, np.uint64)
        self._pushed = 0
        self._recordings: dict[str, RecordingHistograms] = {}
        self._unnamed = False  # whether points came without their recording
        self._weighed: set[bool] = set()

    def push(self, x: object, y: object, weight: object | None = None, *, recording: str | None = None) -> None:
        """Add points.

        Parameters
        ----------
        x, y
            (n,) float32 or float64, px from the upper left corner. NaN and points outside the image are
            left out, and counted in :attr:`points_outside`.
        weight
            (n,) uint32; None is 1 for each point.
        recording
            The id of the recording they are of. Where every push has one, the heat map has ``by_recording``.

        Raises
        ------
        InputError
            If shape or dtype are not these.
        """
        xs, ys = self.backend.asarray(x), self.backend.asarray(y)
        weights = None if weight is None else self.backend.asarray(weight)
        self.backend.add_points(self._histogram, self.grid, xs, ys, weights)
        # one bin over the whole image counts the points inside it, whatever their weights
        self.backend.add_points(self._inside, self._whole, xs, ys)
        self._pushed += int(xs.shape[0])
        self._weighed.add(weight is not None)
        if recording is None:
            self._unnamed = True
        else:
            part = RecordingHistograms.counted(self.backend, self.grid, xs, ys, weights, recording=recording)
            self._add_recordings([part])

    def merge(self, other: FixationCounter) -> None:
        """Add what another counter counted on an image of the same size with the same bins.

        Raises
        ------
        InputError
            If image or bins differ.
        """
        if self.grid != other.grid:
            raise InputError(f"only equal counts can be merged: {self.grid} here and {other.grid} there")
        self._histogram = self._sum(self._histogram, other._histogram, other.backend)
        self._inside = self._sum(self._inside, other._inside, other.backend)
        self._pushed += other._pushed
        self._unnamed |= other._unnamed
        self._weighed |= other._weighed
        self._add_recordings(other._recordings.values())

    @property
    def points(self) -> int:
        """How many points fell into the image."""
        return int(self.backend.to_host(self._inside)[0, 0])

    @property
    def points_outside(self) -> int:
        """How many points were left out: outside the image, or NaN."""
        return self._pushed - self.points

    @property
    def histogram(self) -> NDArray[np.uint64]:
        """(ny, nx) uint64: a copy of the sums so far."""
        return np.array(self.backend.to_host(self._histogram), np.uint64)

    def result(self, *, scale: float = 3.0, unit: Unit = "count") -> FixationHeatmap:
        """The heat map of what was counted so far; counting can go on.

        ``scale`` is the standard deviation of the blur in hundredths of the wider side; ``unit`` says what
        the weights are: ``"duration"`` (us), ``"count"`` (fixations) or ``"gaze"`` (gaze samples). The map has
        ``by_recording`` where every push named its recording, and gave weights exactly where they are durations.
        """
        known = bool(self._recordings) and not self._unnamed and self._weighed == {unit == "duration"}
        return FixationHeatmap.from_histogram(
            self.histogram,
            self.grid,
            points=self.points,
            scale=scale,
            backend=self.backend,
            unit=unit,
            by_recording=tuple(self._recordings[each] for each in sorted(self._recordings)) if known else None,
        )

    def _add_recordings(self, parts: Iterable[RecordingHistograms]) -> None:
        for part in parts:
            before = self._recordings.get(part.id)
            self._recordings[part.id] = part if before is None else before + part

    def _sum(self, mine: Any, others: Any, backend: Backend) -> Any:
        return self.backend.asarray(self.backend.to_host(mine) + backend.to_host(others))
