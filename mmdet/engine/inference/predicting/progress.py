"""How far a prediction has come: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from mmdet.engine.process.terminal import tell

LINE_EVERY_S = 10.0


class Progress:
    """The progress of one source. `total`: its frames, asked for again and again, None if it is not known."""

    def __init__(
        self, title: str, total: Callable[[], int | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title, self._total, self._clock = title, total, clock
        self._start = self._said = clock()
        self._count = 0
        self._bar = tqdm(desc=title, total=total(), unit="frame", disable=None, leave=False)

    def add(self, count: int) -> None:
        """Count frames, and say so if it is time to."""
        self._count += count
        self._bar.update(count)
        now = self._clock()
        if self._bar.disable and now - self._said >= LINE_EVERY_S:
            self._said = now
            tell(self.line(now - self._start))

    def line(self, elapsed_s: float) -> str:
        """Return `2/5 bikes: 120 of 250 frames, 12.1 frames/s, 0:11 left`."""
        rate, total = self._count / max(elapsed_s, 1e-9), self._total()
        if total is None or total < self._count:
            return f"{self._title}: {self._count} frames, {rate:.1f} frames/s"
        left = tqdm.format_interval((total - self._count) / rate)
        return f"{self._title}: {self._count} of {total} frames, {rate:.1f} frames/s, {left} left"

    @property
    def rate(self) -> float:
        """Frames per second so far."""
        return self._count / max(self._clock() - self._start, 1e-9)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
        sys.stderr.flush()
