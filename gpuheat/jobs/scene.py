"""What surrounds the counting: the picture behind the map, and the mask, both as the video is shown."""

from __future__ import annotations

from copy import copy
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends.host import HostArrays
from gpuheat.errors import InputError
from gpuheat.inputs.image import read_image, read_mask
from gpuheat.inputs.remote import file_at, is_remote
from gpuheat.motion.background import BACKGROUNDS, Mean
from gpuheat.motion.downscale import check_factor, shrink_mask
from gpuheat.motion.zones import ZoneSums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gpuheat.pixels import FrameLayout, Pixels
    from gpuheat.zones import Area, Zones

__all__ = ["Scene"]


class Scene:
    """The background and the mask of one run.

    Frames are seen as they lie in the file; pictures given by the user, and the background that comes out,
    are turned by the video's rotation.

    Parameters
    ----------
    background
        ``"first"``, ``"mean"``, ``"median"``, an image file, or (H, W, 3) uint8 BGR.
    mask
        An image file or (H, W); None watches every pixel.
    downscale
        The factor by which frames are made smaller before they are counted.
    zones
        Those to be measured, and those that say what is watched, together with the mask.

    Raises
    ------
    InputError
        If an image cannot be read; later, if it does not have the size of the video.
    OptionError
        If the background is none of these, or the factor is not one.
    """

    def __init__(
        self,
        background: str | PathLike[str] | NDArray[np.uint8],
        mask: ArrayLike | str | PathLike[str] | None,
        downscale: int,
        zones: Zones | None = None,
    ) -> None:
        check_factor(downscale)
        self._zones = zones
        self._sums: dict[tuple[tuple[int, ...], int], ZoneSums | None] = {}  # of all scenes that follow
        self._downscale = downscale
        self._size: tuple[int, ...] | None = None
        self._before = 0
        self._kind = BACKGROUNDS[background] if isinstance(background, str) and background in BACKGROUNDS else None
        self._seen = None if self._kind is None else self._kind(0)
        self._given = None if self._kind is not None else _picture(background)
        self._mask = None if mask is None else _mask(mask)
        self.settings: dict[str, Any] = {
            "background": _label(background),
            "mask": _label(mask),
            "mask_sha256": None if self._mask is None else sha256(np.packbits(self._mask).tobytes()).hexdigest(),
            "zones": None if zones is None else zones.label,
            "zones_mask": None if zones is None else zones.mask_label,
        }

    def see(self, size: tuple[int, ...], pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Take notice of a frame of (h, w); ``pixels`` and ``bgr`` as backgrounds want them."""
        self._size = size
        if self._seen is not None:
            self._seen.add(pixels, bgr)

    @property
    def averages(self) -> bool:
        """Whether sums are all it wants to see: see :meth:`see_elsewhere`."""
        return isinstance(self._seen, Mean)

    def see_elsewhere(self, size: tuple[int, ...], frames: int) -> list[tuple[slice, int]]:
        """Take notice of the next frames of (h, w): which of them are to be added up, and how often each.

        The sums follow sometime: see :meth:`see_sums`.
        """
        assert isinstance(self._seen, Mean)
        self._size = size
        return self._seen.pass_by(frames)

    def see_sums(self, layout: FrameLayout, planes: Sequence[NDArray[np.uint32]], weight: int) -> None:
        """Take notice of the sums of planes, which stand for so many frames."""
        assert isinstance(self._seen, Mean)
        self._seen.add_sums(layout, planes, weight)

    def following(self, before: int) -> Scene:
        """The same for frames that follow some others, of which so many were looked at."""
        scene = copy(self)
        scene._before = self._before + before
        scene._seen = None if self._kind is None else self._kind(scene._before)
        return scene

    def append(self, other: Scene) -> None:
        """Take in what another saw, whose frames directly follow."""
        self._size = other._size if self._size is None else self._size
        if self._seen is not None:
            self._seen.append(other._seen)

    @property
    def decisive(self) -> dict[str, Any]:
        """The settings on which it depends what is seen and counted."""
        kind = self.settings["background"] if self._given is None else "a picture"
        names = ("mask_sha256", "zones")
        return {"background": kind, "downscale": self._downscale} | {name: self.settings[name] for name in names}

    @property
    def state(self) -> dict[str, Any]:
        """What it saw, for :meth:`restore`."""
        assert self._size is not None
        return {"size": [*self._size], "seen": None if self._seen is None else self._seen.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with what another with the same settings saw and gave as its state."""
        self._size = tuple(state["size"])
        if self._seen is not None:
            self._seen.restore(state["seen"])

    def background(self, rotation: int) -> NDArray[np.uint8] | None:
        """The (H, W, 3) BGR picture, as shown with ``rotation`` degrees."""
        if self._seen is None:
            given: NDArray[np.uint8] | None = self._fitting("background", self._given, rotation)
            return given
        picture = self._seen.picture()
        return None if picture is None else np.ascontiguousarray(np.rot90(picture, rotation // 90))

    def mask(self, rotation: int) -> NDArray[np.bool_] | None:
        """The (h, w) mask for the frames as they are counted: not turned, and made smaller."""
        mask = self._fitting("mask", self._mask, rotation)
        if self._zones is not None and (watched := self._zones.watched(*self._shown(rotation))) is not None:
            mask = watched if mask is None else watched & mask
        return None if mask is None else shrink_mask(np.rot90(mask, -(rotation // 90)), self._downscale)

    def zone_sums(self, rotation: int) -> ZoneSums | None:
        """The sums of the zones to be measured, for counts as :meth:`mask` is; None where there are none.

        Of a video made smaller, a block is in a zone where the pixel in its middle is, of an even number the lower
        right one.
        """
        if self._zones is None or self._size is None:
            return None
        key = (self._size, rotation)
        if key not in self._sums:
            areas = self._zones.measured(*self._shown(rotation))
            middles = [_middles(extent, self._downscale) for extent in self._size]
            watched = self.mask(rotation)
            masks = [np.rot90(area.polygon.mask(), -(rotation // 90))[np.ix_(*middles)] for area in areas]
            masks = masks if watched is None else [mask & watched for mask in masks]
            self._sums[key] = ZoneSums(areas, masks) if areas else None
        return self._sums[key]

    def areas(self, rotation: int) -> tuple[Area, ...]:
        """All zones on the picture as shown."""
        return () if self._zones is None else self._zones.placed(*self._shown(rotation))

    def _shown(self, rotation: int) -> tuple[int, ...]:
        """Width and height of the video as shown."""
        assert self._size is not None
        return self._size if rotation % 180 else self._size[::-1]

    def _fitting(self, name: str, picture: Any, rotation: int) -> Any:
        """The picture, once it is known to have the size of the video as shown."""
        if picture is not None and self._size is not None:
            width, height = self._shown(rotation)
            if picture.shape[:2] != (height, width):
                raise InputError(
                    f"the {name} must have the size of the video as shown, {width} x {height} px, "
                    f"got {picture.shape[1]} x {picture.shape[0]} px: {self.settings[name]}"
                )
        return picture


def _picture(background: str | PathLike[str] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(background, np.ndarray):
        background = HostArrays().asarray(background)
        if background.dtype != np.uint8 or background.ndim != 3 or background.shape[2] != 3:
            raise InputError(
                f"a background must be uint8 of shape (h, w, 3), got {background.dtype} of shape {background.shape}"
            )
        return background
    file = file_at(background)
    if isinstance(file, Path) and not file.exists():
        raise InputError(f"the background must be {', '.join(BACKGROUNDS)} or an image file, there is no {file}")
    return read_image(file)


def _mask(mask: ArrayLike | str | PathLike[str]) -> NDArray[np.bool_]:
    if isinstance(mask, str | PathLike):
        return read_mask(mask)
    pixels = HostArrays().asarray(mask)
    if pixels.ndim != 2:
        raise InputError(f"a mask must be an image or an array (h, w), got an array of shape {pixels.shape}")
    return np.asarray(pixels != 0)


def _middles(extent: int, block: int) -> NDArray[np.int64]:
    """The pixel in the middle of each block along one side."""
    begins = np.arange(0, extent, block)
    return (begins + np.minimum(begins + block, extent)) // 2


def _label(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | PathLike):
        return "an array"
    return str(file_at(value) if is_remote(value) else value)
