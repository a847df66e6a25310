"""One pass over a file: with several threads up to the first damage, with one from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpuheat.inputs.container import SILENT, decoded
from gpuheat.inputs.held_back import FRAMES_AHEAD, HeldBack

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import av

    from gpuheat.inputs.findings import Findings
    from gpuheat.inputs.hand_over import HandOver
    from gpuheat.inputs.keyframes import Cut, Packet
    from gpuheat.inputs.video_file import VideoFile

__all__ = ["OnePass"]


class OnePass:
    """Decodes the pictures of a file from the one on that is wanted next.

    What a decoder makes of damaged data depends on how many threads it has, and so on the machine. At the first damage
    the file is opened again and decoded with a single thread from the beginning: how damage is concealed depends on all
    frames before it. Where the decoder says nothing of damage, that is how it is decoded in the first place.

    Attributes
    ----------
    begin
        Where decoding begins; None: at the beginning of the file.
    """

    def __init__(self, file: VideoFile, hand_over: HandOver, found: Findings) -> None:
        self._file = file
        self._hand_over = hand_over
        self._found = found
        self.begin: Cut | None = None
        self._one_thread = not file.can_be_read_again
        self._noticed: int | None = None  # the frame at which the many threads noticed damage

    @property
    def many_threads(self) -> bool:
        """Whether several threads, or the GPU, may decode."""
        return not self._one_thread and (self._file.gpu is not None or self._file.codec not in SILENT)

    @property
    def is_damaged(self) -> bool:
        """Whether a single thread decodes a file from the beginning: damage was noticed, or would not be."""
        return self._file.can_be_read_again and not self.many_threads

    @property
    def position(self) -> dict[str, bool | int | None]:
        """What was noticed of damage, for :meth:`go_on`."""
        return {"is_damaged": self.is_damaged, "noticed": self._noticed}

    def go_on(self, is_damaged: bool, noticed: int | None) -> None:
        """Go on as another pass, which noticed this."""
        if is_damaged:
            self._one_thread = True
            self._file.open(1)
        self._noticed = noticed

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Every picture that is wanted: of the GPU up to the first that is not as the CPU's, then of the CPU."""
        if self._file.gpu is not None:
            if (yield from self._of_many_threads()):
                return
            self._hand_over.to_cpu(self._found.frames_read)
            self._noticed = None
        if self.many_threads:
            if (yield from self._of_many_threads()):
                return
            self._one_thread = True
        self.begin = None
        if self._file.threads != 1:
            self._file.open(1)
        yield from self._of_one_thread()

    def _of_one_thread(self) -> Iterator[av.VideoFrame]:
        """Every picture, damaged or not."""
        found = self._found
        number, already = 0, found.next
        for picture in self._decoded():
            if found.damaged_from is None and (picture is None or picture.is_corrupt):
                found.damaged_from = number
            if picture is None:
                found.broken_packets += 1
                continue
            found.corrupt_frames += picture.is_corrupt
            number += 1
            if found.damaged_from is None and self._noticed is not None and number > self._noticed:
                found.damaged_from = self._noticed  # and concealed in silence, now that it may be
            if number > already:
                yield picture

    def _of_many_threads(self) -> Generator[av.VideoFrame, None, bool]:
        """Every picture up to the first that damage may have spoilt; whether that is all."""
        first = number = 0 if self.begin is None else self.begin.number
        already = self._found.next
        held = HeldBack(FRAMES_AHEAD if self._file.stream.codec_context.has_b_frames else 0)
        for picture in self._decoded(held):
            if picture is None or picture.is_corrupt:
                if self._file.codec != "h264":  # which marks what it conceals
                    self._noticed = number + len(held)
                return False
            if self._hand_over.refuses(picture):
                return False
            for spared in held.through(picture):
                number += 1
                if number > already:
                    yield spared
        if number + len(held) < first + held.packets:  # they may lose what they hold at the end, and say nothing
            return False
        for spared in held.rest():
            number += 1
            if number > already:
                yield spared
        return True

    def _decoded(self, held: HeldBack | None = None) -> Iterator[av.VideoFrame | None]:
        """Every picture the decoder gives behind those that were passed, and None for each packet it cannot decode.

        ``held`` is told of the packets that should give one.
        """
        file, begin, found = self._file, self.begin, self._found
        found.packets = 0 if begin is None else begin.packets

        def note(packet: Packet) -> None:
            found.packets += 1
            led_in = begin is not None and packet.pts is not None and packet.pts < begin.pts
            if held is not None and not packet.is_discard and not led_in:
                held.read(packet.pts)

        return decoded(file.container, file.stream, file.watch, begin, note=note)
