"""The contact sheet: what lies where, and what its colours mean."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.contact_sheet import MOST_PICTURES, Caption, draw_contact_sheet
from gpuheat.outputs.layout import MAX_WIDTH, SHEET_HEIGHT, arrange_many
from gpuheat.outputs.style import PictureStyle


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (48, 48), (100, 4000), (4000, 100)])
@pytest.mark.parametrize("number", [1, 2, 3, 7, 24, 100, MOST_PICTURES])
def test_boxes(size: tuple[int, int], number: int) -> None:
    boxes = arrange_many(*size, number)
    assert len(boxes) == number
    assert len({(box.width, box.height) for box in boxes}) == 1
    assert max(box.right for box in boxes) <= MAX_WIDTH
    covered = np.zeros((max(box.bottom for box in boxes), MAX_WIDTH), np.uint8)
    for box in boxes:
        assert box.width > 0
        assert box.height > 0
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert covered.max() == 1
    if size == (1080, 1920) and number <= 100:
        assert covered.shape[0] <= SHEET_HEIGHT
        assert boxes[0].width >= 140


def test_rows_are_filled_where_they_can_be() -> None:
    assert [len({box.left for box in arrange_many(1080, 1920, number)}) for number in (2, 4, 12, 24, 100)] == [
        *(2, 2, 4, 6, 10)
    ]


def sheet(maps: list[NDArray[np.uint32]], style: PictureStyle) -> NDArray[np.uint8]:
    captions = [Caption(f"{i}:00 to {i}:30", f"{i}:00", "10 %") for i in range(len(maps))]
    png = draw_contact_sheet(
        maps,
        captions,
        np.full((60, 80, 3), (10, 20, 30), np.uint8),
        style,
        title="A title, and a letter that no font of ours has: \N{CJK UNIFIED IDEOGRAPH-65E5}",
        subtitle="and its facts",
        full_scale=lambda peak: f"100 % = {peak}",
    )
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("number", [2, 9, 100])
def test_all_have_one_scale(number: int) -> None:
    """Each map has one value everywhere: it is found again as that share of the largest, of that colour."""
    style = PictureStyle("viridis", "linear", 1.0)
    values = [i * 7 for i in range(number)]
    page = sheet([np.full((60, 80), value, np.uint32) for value in values], style)
    table = lookup_table("viridis").reshape(256, 3)
    box = arrange_many(60, 80, number)[0]
    for value in {*values[:3], *values[-2:]}:
        color = table[int(np.float32(value / values[-1]) * np.float32(255))]
        found = np.all(page == color, axis=2)
        columns, rows = found.sum(axis=0).max(), found.sum(axis=1).max()
        assert columns >= box.height - 1  # the aspect is kept
        assert rows >= box.width - 1


def test_nothing_moved() -> None:
    page = sheet([np.zeros((60, 80), np.uint32)] * 3, PictureStyle(alpha="value"))
    assert np.all(page == (10, 20, 30), axis=2).sum() >= 3 * arrange_many(60, 80, 3)[0].width
