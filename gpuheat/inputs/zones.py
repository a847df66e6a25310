"""Zones from a file, or as Python has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike

from gpuheat.errors import InputError
from gpuheat.inputs.remote import file_at
from gpuheat.zones import Zones

__all__ = ["read_zones"]


def read_zones(source: Zones | Mapping[str, object] | str | PathLike[str]) -> Zones:
    """Zones from a JSON file, or from what such a file holds; see :meth:`gpuheat.Zones.from_json`.

    The file may be at an address that fsspec reads.

    Raises
    ------
    InputError
        If the file cannot be read, or holds something else; the text names it and the zone.
    """
    if isinstance(source, Zones):
        return source
    if not isinstance(source, str | PathLike):
        return Zones.from_json(source)
    path = file_at(source)
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read the zones {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also of a number with thousands of digits
        raise InputError(f"cannot read the zones {path}: it is no JSON file ({error})") from error
    try:
        return Zones.from_json(value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
