"""Where a file is decoded: on the GPU as long as it can, on the CPU from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpuheat.errors import BackendUnavailableError, VideoError
from gpuheat.inputs.container import ALL_PROCESSORS

if TYPE_CHECKING:
    import av

    from gpuheat.inputs.gpu_decoding import Decoding
    from gpuheat.inputs.video_file import VideoFile

__all__ = ["HandOver"]


class HandOver:
    """Has the GPU decode a file, if it is to and can, and hands over to the CPU.

    Parameters
    ----------
    file
        Opened for the CPU.
    decoding
        Where it is to be decoded.
    cpu_alone
        Why only the CPU can do what is asked for; None: the GPU may as well.

    Raises
    ------
    OptionError, BackendUnavailableError
        If it is to be decoded on the GPU and cannot be.
    """

    def __init__(self, file: VideoFile, decoding: Decoding, cpu_alone: str | None) -> None:
        self._file = file
        self._decoding = decoding
        self._from: int | None = None  # the first frame that the CPU decoded in place of the GPU
        self._because = self._to_gpu(cpu_alone)

    def refuses(self, picture: av.VideoFrame) -> bool:
        """Whether a picture is not what the CPU would have made of it, so that it has to."""
        reason = None if self._file.gpu is None else self._file.gpu.refusal(picture)
        self._because = reason or self._because
        return reason is not None

    def to_cpu(self, number: int) -> None:
        """Have the CPU decode from the frame on that is wanted next: it knows best what is damaged.

        Raises
        ------
        VideoError
            If it is to be decoded on the GPU.
        """
        if self._because is not None and self._decoding.where == "gpu":
            raise VideoError(
                f"{self._file.path} cannot be decoded on the GPU from frame {number:,} on: {self._because}"
            )
        if self._because is None:
            self._because = "something cannot be decoded there, which the CPU looks at"
        self._from = number
        self._file.open(ALL_PROCESSORS)

    @property
    def position(self) -> list[Any] | None:
        """From which frame on the CPU decodes, and why, for :meth:`go_on`; None where it did not take over."""
        return None if self._from is None else [self._from, self._because]

    def go_on(self, position: list[Any] | None, number: int) -> None:
        """Go on at a frame as another reader did, which gave its position."""
        if position is not None:
            if self._file.gpu is not None:
                self.to_cpu(number)
            self._from, self._because = position

    @property
    def facts(self) -> dict[str, Any]:
        """Where it was decoded, for ``summary.json``."""
        return {
            "decoded_on": "gpu" if self._file.gpu is not None else "cpu" if self._from is None else "gpu and cpu",
            "on_cpu_from_frame": self._from,
            "on_cpu_because": self._because,
        }

    @property
    def warnings(self) -> list[str]:
        """That the CPU took over where the GPU was asked for."""
        if self._from is None or self._decoding.where != "gpu":
            return []
        return [f"{self._file.path}: decoded by the CPU from frame {self._from:,} on: {self._because}"]

    def _to_gpu(self, cpu_alone: str | None) -> str | None:
        """Have the GPU decode, if it is to and can; otherwise why not."""
        file = self._file
        if cpu_alone is None and not file.can_be_read_again:
            cpu_alone = "it can be read only once, and the CPU may have to take over"
        if cpu_alone is not None:
            return self._decoding.on_cpu(file.path, cpu_alone)
        gpu = self._decoding.decoder(file.path, file.stream)
        if isinstance(gpu, str):
            return gpu
        before = file.container
        try:
            file.open(1, gpu)
        except BackendUnavailableError as error:
            if self._decoding.where == "gpu":
                raise
            return str(error)
        before.close()
        return None
