"""One video on a cluster: what is done next, seen from where the tasks are given out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpuheat.inputs.address import without_secrets
from gpuheat.jobs.counted_video import CountedVideo
from gpuheat.jobs.dask import tasks
from gpuheat.jobs.dask.cluster import Errand
from gpuheat.jobs.dask.messages import Begin, Failed, NotCut, Outline, Wrong
from gpuheat.jobs.dask.tree import Tree

if TYPE_CHECKING:
    from gpuheat.jobs.cutting import Sharing
    from gpuheat.jobs.dask.cluster import Tasks

__all__ = ["ClusterVideo"]


class ClusterVideo:
    """Has a video counted: its index read, its parts counted and joined in pairs, or all of it read in one pass.

    Parameters
    ----------
    tasks_of
        Those of the cluster.
    how
        :class:`How`, or the future of it.
    video
        Its path.
    in_one_pass
        Whether it is not to be cut.

    Attributes
    ----------
    begin
        Where it begins, once :meth:`count_from` has told.
    outline
        What is known before it is decoded; None before that.
    result
        What came out; None before that.
    counted
        The share of its parts that are counted.
    """

    def __init__(self, tasks_of: Tasks, how: Any, video: str, *, in_one_pass: bool) -> None:
        self._tasks = tasks_of
        self._how = how
        self.video = video
        self._in_one_pass = in_one_pass
        self._index = self._errand("its index", tasks.index, how, video)
        self._sharing: Sharing | None = None
        self.begin: Begin | None = None
        self.outline: Outline | Failed | NotCut | None = None
        self.result: CountedVideo | Failed | Wrong | None = None
        self.counted = 0.0
        self._cutting: Any = None
        self._waits_for: Errand | None = None
        self._tree: Tree | None = None

    def count_from(self, begin: Begin, sharing: Sharing) -> None:
        """Count it, from the beginning."""
        self._forget()
        self.begin = begin
        self._sharing = sharing
        self._waits_for = self._index

    def go_on(self, room: int) -> int:
        """Do what can be done; gives out so many parts at most, and returns how many."""
        self._look()
        if self._tree is None:
            return 0
        given = self._tree.go_on(room)
        assert isinstance(self.outline, Outline)
        self.counted = self._tree.counted / self.outline.parts
        if self._tree.outcome is not None:
            self._finish(self._tree.outcome)
        return given

    @property
    def waits_for(self) -> list[Errand]:
        """Those with one of which there is something to do once it is done."""
        if self._tree is not None:
            return self._tree.waits_for
        return [] if self._waits_for is None else [self._waits_for]

    def _forget(self) -> None:
        self._cutting = self._waits_for = self._tree = None
        self.outline, self.result, self.counted = None, None, 0.0

    def _look(self) -> None:
        """Take in what has come of the video as a whole."""
        self._index.look()  # also while nothing waits for it, to know how long it took
        errand = self._waits_for
        if errand is None or not errand.look():
            return
        self._waits_for = None
        if self._failed(errand.done):
            return
        if self._cutting is None:
            self._plan(errand)
            return
        came = errand.done.result()
        if self.outline is None:
            self.outline = came
            if isinstance(came, Failed):
                self.result = came
            elif isinstance(came, NotCut) or self._in_one_pass:
                self._read_in_one_pass()
            elif came.parts == 0:
                self._finish(None)
            else:
                self._tree = Tree(self._tasks, without_secrets(self.video), came.parts, self._count, self._join)
        elif isinstance(came, NotCut):
            self._read_in_one_pass()
        else:
            self.result, self.counted = came, 1.0

    def _failed(self, future: Any) -> bool:
        """Whether the workers could not do it, which is then the result."""
        error = future.exception()
        if error is not None:
            lost = type(error).__name__
            self.result = Failed(
                f"{without_secrets(self.video)}: the workers of the cluster could not count it ({lost}: {error})"
            )
        return error is not None

    def _plan(self, came: Errand) -> None:
        """Cut it, now that there is an index; or look at how it was cut."""
        if came is self._index:
            plan = tasks.plan, self._how, came.done, self.begin, self._sharing
            self._waits_for = self._errand("how it is cut", *plan)
        else:
            self._cutting = came.done
            self._waits_for = self._errand("its outline", tasks.outline, self._index.done, self._cutting)

    def _errand(self, what: str, *call: Any, **options: bool) -> Errand:
        return Errand(self._tasks, f"{without_secrets(self.video)}: {what}", *call, **options)

    def _count(self, number: int) -> tuple[Any, ...]:
        return tasks.count, self._how, self.video, self._cutting, number, self.begin

    def _join(self, one: Any, other: Any) -> tuple[Any, ...]:
        return tasks.join, self._how, self.begin, one, other

    def _finish(self, piece: Any) -> None:
        """Make a result of all parts together, or of what could not be done; None where there are none."""
        self._tree = None
        if piece is not None and self._failed(piece):
            return
        self._waits_for = self._errand(
            "its result", tasks.finish, self._how, self.video, self._cutting, piece, self.begin, first=True
        )

    def _read_in_one_pass(self) -> None:
        self._waits_for = self._errand("one pass", tasks.one_pass, self._how, self.video, self.begin, decodes=True)
