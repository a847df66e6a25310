"""What can go wrong, as one tree.

GpuheatError
├── InputError                 a file or an array that cannot be used; the text names it and the cause
│   ├── VideoError             a video that cannot be opened, has no picture, or changes half way
│   │   ├── IncompleteError    a video that could not be read to its end; holds the map of what was counted
│   │   └── IncompleteBatchError    some of the videos of many maps could not be read; the maps are written
│   └── ExportError            an eye-tracking export that is not what it should be
├── OptionError                an argument outside what it may be, or two that exclude each other
├── OutputError                a result file that cannot be written
├── MissingPackageError        a package that a call needs, and that does not come with gpuheat, is not installed
└── BackendError
    ├── BackendUnavailableError    a backend that is unknown, not installed or cannot run here
    └── DeviceMemoryError          an array that does not fit into the memory of a GPU
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = [
    "BackendError",
    "BackendUnavailableError",
    "DeviceMemoryError",
    "ExportError",
    "GpuheatError",
    "IncompleteBatchError",
    "IncompleteError",
    "InputError",
    "MissingPackageError",
    "OptionError",
    "OutputError",
    "VideoError",
]


class GpuheatError(Exception):
    """The root of every error gpuheat raises on purpose. Its text is one line meant for people."""


class InputError(GpuheatError):
    """A file or an array that cannot be used."""


class VideoError(InputError):
    """A video that cannot be opened, holds no picture, or changes its picture size half way."""


class IncompleteError(VideoError):
    """A video could not be read to its end.

    ``heatmap`` is the :class:`~gpuheat.MotionHeatmap` of what was counted so far.
    """

    def __init__(self, reason: str, heatmap: MotionHeatmap) -> None:
        super().__init__(reason)
        self.heatmap = heatmap


class IncompleteBatchError(VideoError):
    """Some of the videos of which many maps were made could not be read, or not to their end. The maps are written."""


class ExportError(InputError):
    """An eye-tracking export that cannot be read as one."""


class OptionError(GpuheatError):
    """An argument outside its range, of the wrong kind, or in conflict with another."""


class OutputError(GpuheatError):
    """A result file that cannot be written: the disk is full, or gone."""


class MissingPackageError(GpuheatError):
    """A package that a call needs, and that does not come with gpuheat, is not installed."""


class BackendError(GpuheatError):
    """Something went wrong inside a backend."""


class BackendUnavailableError(BackendError):
    """The backend asked for is unknown, not installed, or cannot run on this machine."""


class DeviceMemoryError(BackendError):
    """The memory of the GPU does not suffice."""
