"""Frames that cannot be read: counted over a training run and its processes, and named at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmdet.ops.collectives import gather_objects, gather_sizes
from mmdet.structures import ClipBatch, VideoResult

MOST_LISTED = 20


class BadFrames:
    """The bad frames that a run has met, each counted once; `most` are put up with."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: dict[str, None] = {}

    def meet(self, batches: Sequence[ClipBatch], say: Callable[[str], None]) -> str | None:
        """Count what the batches of all processes could not read; return why the run has to end, if it has to.

        What ends the run is not counted: it is mended before the run goes on.
        """
        clips = [clip for batch in batches for clip in batch.bad_frames if clip]
        if not any(gather_sizes(len(clips))):  # the hosts ask each other: no step waits for a device
            return None
        clips = [clip for part in gather_objects(clips) for clip in part]
        new = [line for line in dict.fromkeys(line for clip in clips for line in clip) if line not in self._known]
        total = len(self._known) + len(new)
        none_readable = any(len(clip) > self.most for clip in clips)
        if total > self.most or none_readable:
            last = (new or list(clips[-1]))[-1]
            return (
                f"{last} (bad frames so far: {total}, data.train.max_bad_frames: {self.most}). Mend what "
                "tools/check_data.py --decode lists, or allow more, to have them replaced"
            )
        for line in new:
            self._known[line] = None
            say(f"{line}; another pair was drawn ({len(self._known)} of {self.most} bad frames allowed)")
        return None

    @property
    def known(self) -> tuple[str, ...]:
        """Lines that name those met so far, which a resumed run has to know."""
        return tuple(self._known)

    def take_up(self, known: Sequence[str]) -> None:
        """Go on from those that the resumed run has met."""
        self._known = dict.fromkeys(known)


def describe_bad_frames(results: Sequence[VideoResult]) -> list[str]:
    """Return lines that name what results lack, the last one in numbers; [] if all frames could be read."""
    bad = [line for result in results for line in result.bad_frames]
    if not bad:
        return []
    total = sum(result.num_frames for result in results)
    gone = [str(result.video_id) for result in results if len(result.bad_frames) == result.num_frames]
    lines = bad[:MOST_LISTED]
    if len(bad) > MOST_LISTED:
        lines.append(f"and {len(bad) - MOST_LISTED} more")
    whole = f", among them all of the videos {', '.join(gone[:MOST_LISTED])}" if gone else ""
    return [*lines, f"{len(bad)} of {total} frames could not be read and show no tracks{whole}; mend them, test again"]
