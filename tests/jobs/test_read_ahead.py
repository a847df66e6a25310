"""Reading in a thread of its own: all items in order, and who waits for whom."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gpuheat.inputs.watch import Watch
from gpuheat.jobs.read_ahead import read_ahead


def read(items: Iterator[int]) -> Iterator[tuple[int, bool]]:
    return read_ahead(items, Watch("items"), lambda: None)


def test_it_tells_that_the_reader_waits() -> None:
    def as_fast_as_can_be() -> Iterator[int]:
        yield from range(5)

    taken = []
    for item, is_ahead in read(as_fast_as_can_be()):
        taken.append((item, is_ahead))
        time.sleep(0.1)
    assert [item for item, _ in taken] == [0, 1, 2, 3, 4]
    assert all(is_ahead for _, is_ahead in taken[1:])


def test_it_tells_that_the_reader_is_waited_for() -> None:
    def slow() -> Iterator[int]:
        for item in range(5):
            time.sleep(0.1)
            yield item

    taken = [*read(slow())]
    assert [item for item, _ in taken] == [0, 1, 2, 3, 4]
    assert not any(is_ahead for _, is_ahead in taken)


def test_errors_come_behind_what_was_read_before() -> None:
    def broken() -> Iterator[int]:
        yield 0
        raise ValueError("broken")

    reading = read(broken())
    assert next(reading)[0] == 0
    with pytest.raises(ValueError, match="broken"):
        next(reading)
