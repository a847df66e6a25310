"""Colour maps by name: 256 colours from cold to hot, from OpenCV or else from matplotlib."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colormap_names", "lookup_table"]

_PREFIX = "COLORMAP_"
_OPENCV = {name.removeprefix(_PREFIX).lower(): getattr(cv2, name) for name in dir(cv2) if name.startswith(_PREFIX)}


def colormap_names() -> tuple[str, ...]:
    """Every name `lookup_table` knows: OpenCV's maps, then those that only matplotlib has."""
    return (*sorted(_OPENCV), *sorted(_matplotlib_names().keys() - _OPENCV.keys()))


@lru_cache(maxsize=16)
def lookup_table(name: str) -> NDArray[np.uint8]:
    """The 256 colours of a map, from the value 0 to the value 255.

    Parameters
    ----------
    name
        A map of OpenCV (``cv2.COLORMAP_JET`` is ``"jet"``) or, where OpenCV has none of that name, of
        matplotlib. Capitals do not matter.

    Returns
    -------
    table
        (256, 3) uint8, BGR, read-only.

    Raises
    ------
    OptionError
        If neither library has a map of that name.

    Examples
    --------
    >>> lookup_table("jet")[[0, 255]].tolist()
    [[128, 0, 0], [0, 0, 128]]
    """
    key = name.lower()
    if key in _OPENCV:
        ramp = np.arange(256, dtype=np.uint8).reshape(256, 1)
        table = cv2.applyColorMap(ramp, _OPENCV[key]).reshape(256, 3).astype(np.uint8, copy=False)
    else:
        table = _matplotlib_table(key)
    table.flags.writeable = False
    return table


def _matplotlib_table(key: str) -> NDArray[np.uint8]:
    names = _matplotlib_names()
    if key not in names:
        close = difflib.get_close_matches(key, colormap_names(), n=5)
        hint = f"did you mean {', '.join(close)}?" if close else f"OpenCV's are {', '.join(sorted(_OPENCV))}"
        raise OptionError(f"colormap must be the name of a colour map of OpenCV or matplotlib, got {key!r}; {hint}")
    import matplotlib as mpl

    rgba = mpl.colormaps[names[key]](np.linspace(0.0, 1.0, 256), bytes=True)
    return np.ascontiguousarray(rgba[:, 2::-1], dtype=np.uint8)


def _matplotlib_names() -> dict[str, str]:
    """matplotlib's own spelling of a map's name by the name in small letters."""
    import matplotlib as mpl

    return {name.lower(): name for name in mpl.colormaps}
