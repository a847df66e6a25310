"""What ``gpuheat motion`` writes on request: the events, and the video with the heat over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from gpuheat.errors import IncompleteError, OptionError
from gpuheat.terminal import SignalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    Progress = Callable[[int, int | None], None]

__all__ = ["More", "more_options"]

RULE: Final = {  # the options of an event, as MotionHeatmap.events calls them
    "event_enter": "enter",
    "event_leave": "leave",
    "event_gap": "gap",
    "event_min": "shortest",
    "event_pad": "pad",
}


def _video_style(style: PictureStyle) -> PictureStyle:
    """The style of the pictures, but clear where nothing was unless an opacity was asked for.

    A percentile cuts hot spots off, which the scale of a video does by itself.
    """
    from dataclasses import replace

    usual_alpha = click.get_current_context().get_parameter_source("alpha") is ParameterSource.DEFAULT
    return replace(
        style,
        alpha="value" if usual_alpha else style.alpha,
        tone="linear" if style.tone.startswith("percentile") else style.tone,
    )


def more_options(command: Any) -> Any:
    """Add the options."""
    options = (
        click.option(
            "--events",
            is_flag=True,
            help="Also list the stretches of motion in events.csv, and show a frame of each in events.png.",
        ),
        click.option(
            "--event-enter",
            type=float,
            metavar="SHARE",
            help="An event comes to this share of the watched pixels.  [default: four times --event-leave]",
        ),
        click.option(
            "--event-leave",
            type=float,
            metavar="SHARE",
            help="An event lasts while this share moves.  [default: the end of the noise, that is the median of the "
            "quietest fifth of the frame pairs and 12 spreads (MAD) above it, from 0.00005 to 0.0025]",
        ),
        click.option(
            "--event-gap",
            type=float,
            metavar="S",
            help="Pauses up to this long belong to an event.  [default: 2, or three frame pairs where that is longer]",
        ),
        click.option("--event-min", type=float, metavar="S", help="Leave out shorter events.  [default: 0.5]"),
        click.option("--event-pad", type=float, metavar="S", help="Begin earlier and end later.  [default: 0]"),
        click.option(
            "--video",
            metavar="NAME.mp4",
            help="Also write the video with the heat of what just moved over it, H.264 as browsers play it. It fades "
            "with --half-life, 1 s unless given; the hottest colour is motion in half of the recent frames, so "
            "that a percentile for a tone is as linear. Clear where nothing moved unless --alpha is given.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


class More:
    """What was asked for, taken out of the options of the command.

    Parameters
    ----------
    options
        Of the command, by name.
    files
        What is counted.
    out
        Where the results go.

    Raises
    ------
    OptionError
        If something cannot be had, or an option is outside its range: before anything is counted.
    """

    def __init__(self, options: dict[str, Any], files: Sequence[str], out: OutputFolder) -> None:
        from gpuheat.inputs.remote import is_remote
        from gpuheat.jobs.identity import is_read_once

        events = options.pop("events")
        given = {RULE[name]: value for name in RULE if (value := options.pop(name)) is not None}
        self._rule = given if events or given else None
        self._video: str | None = options.pop("video")
        self._files = files
        self._can_be_read_again = not any(is_remote(file) or is_read_once(file) for file in files)
        self._options = options
        if self._rule is not None:
            import numpy as np

            from gpuheat.motion.events import EventRule

            EventRule.fitted(np.empty(0), np.empty(0), **self._rule)
        if self._video is not None:
            self._check_video(self._video, out)

    @property
    def is_wanted(self) -> bool:
        """Whether there is something to write."""
        return self._rule is not None or self._video is not None

    def write(
        self,
        output: str,
        heatmap: MotionHeatmap,
        style: PictureStyle,
        progress: Callable[[str], AbstractContextManager[Progress]],
    ) -> None:
        """Write it for a heat map whose own files are written, and the summary anew."""
        if not self.is_wanted:
            return
        from gpuheat.outputs.files import OutputFolder

        incomplete = None
        try:
            with OutputFolder(output) as out:
                if self._rule is not None:
                    with progress("events") as report:
                        self._write_events(out, heatmap, report)
                if self._video is not None:
                    with progress(self._video) as report:
                        incomplete = self._write_video(out, self._video, heatmap, style, report)
                heatmap.write_summary(out, style)
        except SignalError as error:
            wanted = " and ".join(["events"] * (self._rule is not None) + ["video"] * (self._video is not None))
            raise SignalError(error.number, f"; the heat map is written, {wanted} not") from None
        if incomplete is not None:
            raise incomplete

    def _check_video(self, name: str, out: OutputFolder) -> None:
        from gpuheat.jobs.overlay_video import check_target

        if self._options["keyframes"]:
            raise OptionError("--video needs all frames, --keyframes leaves most of them out: take one of the two")
        if not self._can_be_read_again:
            raise OptionError(
                "--video reads the video a second time: it is for files, not for live video, addresses or a pipe"
            )
        check_target(out, name, [*self._files])

    def _write_events(self, out: OutputFolder, heatmap: MotionHeatmap, report: Progress) -> None:
        from gpuheat.jobs.events import event_facts, write_events

        assert self._rule is not None
        rule = heatmap.event_rule(**self._rule)
        events = heatmap.events(**self._rule)
        heatmap.facts["events"] = event_facts(events, rule)
        videos = self._files if self._can_be_read_again else []
        heatmap.facts["warnings"] += write_events(
            out, heatmap, events, rule, videos, report, self._options["max_pixels"]
        )

    def _write_video(
        self, out: OutputFolder, name: str, heatmap: MotionHeatmap, style: PictureStyle, report: Progress
    ) -> IncompleteError | None:
        """Write the video; returns why it ends half way, unless the counting had to end as well."""
        from gpuheat.jobs.overlay_video import HALF_LIFE, OF_THE_COUNTING, write_overlay_video

        half_life = self._options["half_life"]
        source = [*self._files] if len(self._files) > 1 else self._files[0]
        incomplete = None
        try:
            drawn = write_overlay_video(
                out,
                name,
                source,
                _video_style(style),
                HALF_LIFE if half_life is None else half_life,
                report,
                **{option: self._options[option] for option in OF_THE_COUNTING & self._options.keys()},
            )
        except IncompleteError as error:
            drawn, incomplete = error.heatmap, error
        heatmap.facts["video"] = drawn.facts["video"]
        known = heatmap.facts["warnings"]
        heatmap.facts["warnings"] += [warning for warning in drawn.facts["warnings"] if warning not in known]
        return None if heatmap.facts["input"]["stopped"] is not None else incomplete
