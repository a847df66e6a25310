"""Zones: named polygons on a picture, to be measured, or to say what is watched at all."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from gpuheat.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.polygon import Polygon

__all__ = ["Area", "Kind", "Units", "Zone", "Zones"]

Kind = Literal["zone", "include", "exclude"]
Units = Literal["px", "normalized"]
KINDS: Final = ("zone", "include", "exclude")
UNITS: Final = ("px", "normalized")
NO_TEXT: Final = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of a letter, ends of a line
FURTHEST_SHARE: Final = 2.0
"""Corners may lie somewhat outside the picture; beyond this they are not meant as shares of its size."""
NAMED: Final = 3  # zones, in one line
FORMAT: Final = '{"zones": [{"name": "door", "polygon": [[x, y], ...], "kind": "zone"}], "units": "px"}'


@dataclass(frozen=True)
class Zone:
    """A named polygon.

    Attributes
    ----------
    name
        What people call it.
    polygon
        Its corners, (x, y) each, at least three. The last is joined to the first, which may be repeated at the end;
        where the border crosses itself, what it goes around twice is outside.
    kind
        ``"zone"``: to be measured. ``"include"``: what lies in none of these is not watched. ``"exclude"``: nor is
        what lies in one of these.

    Raises
    ------
    InputError
        If it is not that; the text names the zone.

    Examples
    --------
    >>> Zone("door", ((0, 0), (80, 0), (80, 200), (0, 200))).kind
    'zone'
    """

    name: str
    polygon: Sequence[Sequence[float]]
    kind: Kind = "zone"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError(f"a zone needs a name, got {self.name!r}")
        if any(unicodedata.category(letter) in NO_TEXT for letter in self.name):
            raise InputError(f"the name of a zone is one line of text, got {self.name!r}")
        if self.kind not in KINDS:
            raise InputError(f"zone {self.name!r}: its kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        corners = self._corners()
        if len(corners) > 3 and corners[0] == corners[-1]:
            corners = corners[:-1]
        if len(corners) < 3:
            raise InputError(f"zone {self.name!r}: its polygon needs at least 3 corners, got {len(corners)}")
        object.__setattr__(self, "polygon", corners)

    def _corners(self) -> tuple[tuple[float, float], ...]:
        if not isinstance(self.polygon, Iterable) or isinstance(self.polygon, str | Mapping):
            raise InputError(f"zone {self.name!r}: its polygon must be a list of corners [x, y], got {self.polygon!r}")
        corners = []
        for corner in self.polygon:
            try:
                x, y = corner
                is_number = all(not isinstance(each, bool | str) and math.isfinite(each) for each in (x, y))
            except (TypeError, ValueError, OverflowError):
                is_number = False
            if not is_number:
                raise InputError(f"zone {self.name!r}: a corner must be two numbers [x, y], got {corner!r}")
            corners.append((float(x), float(y)))
        return tuple(corners)


@dataclass(frozen=True)
class Area:
    """A zone in its place on a picture.

    Attributes
    ----------
    zone
        Which.
    polygon
        It, on the picture.
    outline
        Its corners as shares of the picture's width and height.
    """

    zone: Zone
    polygon: Polygon
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Zones:
    """Zones for pictures of one size, or, normalized, of any.

    Attributes
    ----------
    zones
        Each with a name of its own.
    units
        What their corners are measured in: ``"px"`` of the picture as shown, from the upper left corner of its upper
        left pixel, or ``"normalized"``, shares of its width and height.

    Raises
    ------
    InputError
        If there is none, or a name is there twice.

    Examples
    --------
    >>> zones = Zones((Zone("left half", ((0, 0), (0.5, 0), (0.5, 1), (0, 1))),), "normalized")
    >>> zones.measured(4, 1)[0].polygon.mask().tolist()
    [[True, True, False, False]]
    """

    zones: tuple[Zone, ...]
    units: Units = "px"

    def __post_init__(self) -> None:
        object.__setattr__(self, "zones", tuple(self.zones))
        if not self.zones:
            raise InputError("there are no zones: give at least one")
        if self.units not in UNITS:
            raise InputError(f"the units of zones must be 'px' or 'normalized', got {self.units!r}")
        name, number = Counter(zone.name.strip() for zone in self.zones).most_common(1)[0]
        if number > 1:
            raise InputError(f"the name {name!r} is that of {number} zones: give each a name of its own")
        for zone in self.zones:
            self._check_units(zone)

    @classmethod
    def from_json(cls, value: object) -> Zones:
        """Zones from what a JSON file of them holds: ``{"zones": [{"name", "polygon", "kind"}, ...], "units"}``.

        ``kind`` is "zone" and ``units`` are "px" where they are not given.

        Raises
        ------
        InputError
            If it holds something else, an unknown key included.
        """
        fields = _fields(value, "zones", required={"zones"}, optional={"units"})
        if not isinstance(fields["zones"], list | tuple):
            raise InputError(f"zones must be a list, as in {FORMAT}, got {fields['zones']!r}")
        zones = []
        for number, each in enumerate(fields["zones"], 1):
            name = each.get("name", "") if isinstance(each, Mapping) else ""
            what = f"zone {name!r}" if name else f"zone {number} of the list"
            zones.append(Zone(**_fields(each, what, required={"name", "polygon"}, optional={"kind"})))
        return cls(tuple(zones), fields.get("units", "px"))

    @property
    def label(self) -> str:
        """Their names, the first of them, and what tells them from others of the same names."""
        return self._label(self.zones)

    @property
    def mask_label(self) -> str | None:
        """That of those to include and to exclude; None where there are none and all is watched."""
        masks = [zone for zone in self.zones if zone.kind != "zone"]
        return self._label(masks) if masks else None

    def _label(self, zones: Sequence[Zone]) -> str:
        names = [zone.name for zone in zones]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        exact = repr([(zone.name, zone.polygon, zone.kind) for zone in zones] + [self.units])
        return f"{', '.join(names[:NAMED])}{more} ({sha256(exact.encode()).hexdigest()[:12]})"

    def measured(self, width: int, height: int) -> tuple[Area, ...]:
        """The zones to be measured, on a picture of this size, px.

        Raises
        ------
        InputError
            If one of all zones lies beside the picture, or is so thin that it holds the centre of no pixel.
        """
        return tuple(area for area in self.placed(width, height) if area.zone.kind == "zone")

    def watched(self, width: int, height: int) -> NDArray[np.bool_] | None:
        """(height, width) bool: what is inside any zone to include, if there is one, and in none to exclude.

        None where all is watched. Raises as :meth:`measured` does, and where nothing is left.
        """
        return _watched(self, width, height)

    def placed(self, width: int, height: int) -> tuple[Area, ...]:
        """All zones, on a picture of this size, px; raises as :meth:`measured` does."""
        return _placed(self, width, height)

    def _check_units(self, zone: Zone) -> None:
        """Raise where the corners of a zone can hardly be in these units."""
        values = [value for corner in zone.polygon for value in corner]
        if self.units == "normalized" and max(map(abs, values)) > FURTHEST_SHARE:
            raise InputError(
                f"zone {zone.name!r}: its corners should be shares of width and height, from 0 to 1, and one has "
                f'{max(values, key=abs):g}: are they in px? Then say "units": "px"'
            )
        if self.units == "px" and all(0 <= value <= 1 for value in values) and any(0 < value < 1 for value in values):
            raise InputError(
                f"zone {zone.name!r}: it lies in the first pixel; are its corners shares of width and height? "
                'Then say "units": "normalized"'
            )


@lru_cache(maxsize=8)
def _placed(zones: Zones, width: int, height: int) -> tuple[Area, ...]:
    """The zones on a picture of this size; they take long to be drawn, and many parts of a video want the same."""
    from gpuheat.polygon import FURTHEST, Polygon

    picture = f"the picture of {width} x {height} px"
    if max(width, height) > FURTHEST:
        raise InputError(f"zones are for pictures of up to {FURTHEST:,} px a side, this is {picture}")
    across, down = (width, height) if zones.units == "normalized" else (1, 1)
    areas = []
    for zone in zones.zones:
        corners = [(x * across, y * down) for x, y in zone.polygon]
        if any(max(abs(x), abs(y)) > FURTHEST for x, y in corners):
            raise InputError(f"zone {zone.name!r}: a corner lies more than {FURTHEST:,} px beside {picture}")
        polygon = Polygon(corners, width, height)
        if not polygon.mask().any():
            xs, ys = zip(*corners, strict=True)
            raise InputError(
                f"zone {zone.name!r}: no pixel of {picture} has its centre in it; it reaches from {min(xs):g} to "
                f"{max(xs):g} px across and from {min(ys):g} to {max(ys):g} px down"
            )
        areas.append(Area(zone, polygon, tuple((x / width, y / height) for x, y in corners)))
    return tuple(areas)


@lru_cache(maxsize=8)
def _watched(zones: Zones, width: int, height: int) -> NDArray[np.bool_] | None:
    import numpy as np

    areas = zones.placed(width, height)
    included = [area.polygon.mask() for area in areas if area.zone.kind == "include"]
    excluded = [area.polygon.mask() for area in areas if area.zone.kind == "exclude"]
    if not included and not excluded:
        return None
    watched = np.logical_or.reduce(included) if included else np.ones((height, width), np.bool_)
    for mask in excluded:
        watched &= ~mask
    if not watched.any():
        raise InputError("the zones to include and to exclude leave nothing of the picture")
    watched.flags.writeable = False  # it is kept for others
    return np.asarray(watched)


def _fields(value: object, what: str, required: set[str], optional: set[str]) -> dict[str, Any]:
    """The fields of a JSON object, once they are known to be these."""
    if not isinstance(value, Mapping):
        raise InputError(f"{what} must be an object, as in {FORMAT}, got {value!r:.80}")
    unknown, missing = sorted(value.keys() - required - optional), sorted(required - value.keys())
    if unknown or missing:
        wrong = f"there is no key {unknown[0]!r}" if unknown else f"the key {missing[0]!r} is missing"
        raise InputError(f"{what}: {wrong}; it has {', '.join(sorted(required | optional))}, as in {FORMAT}")
    return dict(value)
