"""What the conversions of both kinds of heat map to other libraries share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gpuheat.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["attributes", "import_xarray", "table"]


def import_xarray(call: str) -> Any:
    """The module xarray, for a call that needs it.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        import xarray
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"{call} needs xarray ({error}): pip install 'gpuheat[notebook]'") from error
    return xarray


def attributes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as attributes that netCDF can hold: those that are set; yes and no are 1 and 0, lists are JSON."""
    return {
        name: int(value) if isinstance(value, bool) else value if isinstance(value, int | float | str) else _json(value)
        for name, value in settings.items()
        if value is not None
    }


def table(columns: Mapping[str, Any], summary: Mapping[str, Any]) -> pa.Table:
    """Columns as a table of Arrow, which carries the summary along."""
    import pyarrow as pa

    return pa.table(dict(columns)).replace_schema_metadata({"gpuheat": _json(summary)})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
