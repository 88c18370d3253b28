"""Draw the shown tracks of a frame in the style that the options ask for; small frames are enlarged."""

from __future__ import annotations

from mmdet.engine.inference.predicting.options import PredictOptions
from mmdet.engine.inference.tracks import Tracks
from mmdet.structures import Size
from mmdet.visualization.draw import DrawStyle, Picture, Trails, draw_objects, drawing_factor, enlarge
from mmdet.visualization.objects import objects_of_tracks


def style_of(options: PredictOptions) -> DrawStyle:
    """Return how to draw."""
    return DrawStyle(
        boxes=options.boxes,
        labels=options.labels,
        line_width=options.line_width,
        color_by="class" if options.color_by == "class" else "track",
        trails=options.trails,
        sigma=options.sigma,
    )


class Drawer:
    """Draws the frames of one video of `size` (height, width), one after the other."""

    def __init__(self, style: DrawStyle, size: Size) -> None:
        self._style, self._factor = style, drawing_factor(size)
        self.picture_size = (size[0] * self._factor, size[1] * self._factor)
        self._trails = Trails(style.trails) if style.trails else None

    def draw(self, image: Picture, tracks: Tracks) -> Picture:
        """Return the picture of a frame with its tracks."""
        if self._trails:
            boxes = [tuple(box) for box in tracks.boxes.tolist()]
            self._trails.update(tracks.track_ids.tolist(), boxes)
        objects = objects_of_tracks(tracks, tracks.class_names, style=self._style, trails=self._trails)
        return draw_objects(*enlarge(image, objects, self._factor), self._style)
