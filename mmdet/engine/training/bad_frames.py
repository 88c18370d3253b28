"""Frames that cannot be read: count them over a training run and its processes, and list them at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmdet.ops.collectives import gather_objects, gather_sizes
from mmdet.structures import ClipBatch, VideoResult

MOST_LISTED = 20


class BadFrames:
    """The bad frames of a run, each counted once. Up to `most` are allowed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: dict[str, None] = {}

    def meet(self, batches: Sequence[ClipBatch], say: Callable[[str], None]) -> str | None:
        """Count the unreadable frames in the batches of all processes.

        Return the reason if the run must end, else None. A frame that ends the run is not counted, because it is mended
        before the run goes on.
        """
        clips = [clip for batch in batches for clip in batch.bad_frames if clip]
        if not any(gather_sizes(len(clips))):  # only the hosts exchange numbers: no step waits for a device
            return None
        clips = [clip for part in gather_objects(clips) for clip in part]
        new = [line for line in dict.fromkeys(line for clip in clips for line in clip) if line not in self._known]
        total = len(self._known) + len(new)
        none_readable = any(len(clip) > self.most for clip in clips)
        if total > self.most or none_readable:
            last = (new or list(clips[-1]))[-1]
            return (
                f"{last} (bad frames so far: {total}, data.train.max_bad_frames: {self.most}). Mend what "
                "`memcnp check-data --decode` lists, or allow more, to have them replaced"
            )
        for line in new:
            self._known[line] = None
            say(f"{line}; another pair was drawn ({len(self._known)} of {self.most} bad frames allowed)")
        return None

    @property
    def known(self) -> tuple[str, ...]:
        """Lines that name the bad frames so far, which a resumed run needs."""
        return tuple(self._known)

    def take_up(self, known: Sequence[str]) -> None:
        """Go on from the bad frames of the resumed run."""
        self._known = dict.fromkeys(known)


def describe_bad_frames(results: Sequence[VideoResult]) -> list[str]:
    """Return lines that name the frames missing in the results and, last, their number; [] if none is missing."""
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
