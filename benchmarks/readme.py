"""The README's tables, drawn from reports: ``python -m benchmarks.readme benchmarks/results/FILE.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import rate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["kernels_table", "video_table"]

CASES: Final = ("8 pairs of 1920 x 1080, band", "10 M float32 points into 300 x 225 bins", "blur")
RECIPE: Final = "plain recipe, cv2.VideoCapture"
WAYS: Final = ("bgr, by default", "bgr, background first", "luma, by default", "luma, background first")


def kernels_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: the main cases of the backend numba, beside all peers."""
    lines = ["| | rate | of a plain copy | times as fast as |", "|---|---|---|---|"]
    for row in rows:
        if row["contender"] == "numba" and row["times_as_fast_as"] and any(words in row["case"] for words in CASES):
            share = f"{100 * row['share_of_copy']:.0f} %"
            peers = ", ".join(f"{peer} {times:.3g}" for peer, times in row["times_as_fast_as"].items())
            lines.append(f"| {row['case']} | {rate(row['items_per_s'], row['unit'])} | {share} | {peers} |")
    return "\n".join(lines)


def video_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: for each clip the frames/s of the recipe, of decoding alone and of ours."""
    names = ["plain recipe", "decoding alone", "`gpuheat motion`", "`--background first`", "`--pixels luma`", "both"]
    lines = ["| frames/s (of the recipe, of decoding alone) | " + " | ".join(names) + " |", "|---" * 7 + "|"]
    for case in dict.fromkeys(row["case"] for row in rows):
        found = {row["contender"]: row for row in rows if row["case"] == case}
        recipe = found[RECIPE]["items_per_s"]
        decoding = max(row["items_per_s"] for name, row in found.items() if "decoding alone" in name)
        ours = [found[f"gpuheat numba, {way}"]["items_per_s"] for way in WAYS]
        cells = [f"{each:,.0f} ({each / recipe:.1f}x, {100 * each / decoding:.0f} %)" for each in ours]
        clip = case.removeprefix("video: ").removesuffix(", heat map")
        lines.append(f"| {clip} | {recipe:,.0f} | {decoding:,.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables of the reports named on the command line."""
    for path in sys.argv[1:]:
        rows = json.loads(Path(path).read_text())["rows"]
        for suite, table in (("kernels", kernels_table), ("video", video_table)):
            chosen = [row for row in rows if row["suite"] == suite]
            if chosen:
                print(table(chosen))


if __name__ == "__main__":
    main()
