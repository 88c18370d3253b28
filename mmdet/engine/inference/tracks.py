"""The tracked objects of one frame, with their names: what a stream returns, and the forms it can be turned into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mmdet.errors import UserError, shown, suggestion
from mmdet.ops.masks.segmentations import encode_masks, mask_areas
from mmdet.structures import FrameTracks
from mmdet.visualization.draw import PLAIN, DrawStyle, Picture, Trails, draw_objects, enlarge
from mmdet.visualization.objects import objects_of_tracks

if TYPE_CHECKING:
    import supervision

_SHOWN = 8  # objects in the line of `repr`


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Tracks:
    """The N tracked objects of one frame.

    A frame says of an object what it looks like there: `labels` and `scores` may change from frame to frame.
    `track_labels` and `track_scores` are what its track says so far.

    >>> tracks
    frame 17: 0 ring 0.88, 2 star 0.50, 5 ring 0.25
    >>> len(tracks), tracks.names, tracks.track_ids.tolist()
    (3, ['ring', 'star', 'ring'], [0, 2, 5])
    >>> tracks[tracks.track_scores > 0.4]
    frame 17: 0 ring 0.88, 2 star 0.50
    >>> for one in tracks:
    ...     print(one.names[0], one.boxes[0].tolist())
    ring [0.0, 4.0, 8.0, 12.0]
    star [10.0, 4.0, 18.0, 12.0]
    ring [20.0, 4.0, 28.0, 12.0]
    """

    objects: FrameTracks
    track_labels: Tensor  # (N,) int64: the class of each track so far, by the rule of `Ranking`
    track_scores: Tensor  # (N,) float32: the score of each track so far, as that class
    class_names: tuple[str, ...]  # by label
    category_ids: tuple[int, ...]  # by label
    frame_index: int  # 0-based
    time_s: float | None = None

    @property
    def boxes(self) -> Tensor:
        """(N, 4) xyxy, original pixels."""
        return self.objects.boxes

    @property
    def masks(self) -> Tensor:
        """(N, H, W) bool, original pixels; on the device that drew them."""
        return self.objects.masks

    @property
    def labels(self) -> Tensor:
        """(N,) int64, 0-based: the class in this frame alone."""
        return self.objects.labels

    @property
    def scores(self) -> Tensor:
        """(N,) in [0, 1]: the score in this frame alone."""
        return self.objects.scores

    @property
    def track_ids(self) -> Tensor:
        """(N,) int64: an object keeps its id in all frames of its video."""
        return self.objects.track_ids

    @property
    def box_sigma(self) -> Tensor:
        """(N, 4) predicted standard deviation of the box sides, fractions of the frame's, at most 1."""
        return self.objects.box_sigma

    @property
    def centerness(self) -> Tensor:
        """(N,) in [0, 1]."""
        return self.objects.centerness

    @property
    def embeddings(self) -> Tensor:
        """(N, E): what tracks are told apart by."""
        return self.objects.embeddings

    @property
    def names(self) -> list[str]:
        """The class name of each track."""
        return [self.class_names[label] for label in self.track_labels.tolist()]

    def __len__(self) -> int:
        return len(self.objects)

    def __repr__(self) -> str:
        rows = zip(self.track_ids.tolist(), self.names, self.track_scores.tolist(), strict=True)
        texts = [f"{track_id} {name} {score:.2f}" for track_id, name, score in rows]
        more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
        return f"frame {self.frame_index}: {', '.join(texts[:_SHOWN] + more) or 'no objects'}"

    def __getitem__(self, rows: Tensor | np.ndarray | slice | list[int] | int) -> Tracks:
        """Return the objects that an index, a slice, a list of indices, or a tensor or array of them or of bool takes.

        Raises IndexError for a single index beyond the last object.
        """
        if isinstance(rows, int):
            place = range(len(self))[rows]
            rows = slice(place, place + 1)
        elif isinstance(rows, np.ndarray):
            rows = torch.from_numpy(rows)
        return replace(
            self,
            objects=self.objects[rows],
            track_labels=self.track_labels[rows],
            track_scores=self.track_scores[rows],
        )

    def __iter__(self) -> Iterator[Tracks]:
        """Yield each object alone."""
        return (self[row] for row in range(len(self)))

    def filter(
        self, min_score: float = 0.0, classes: Sequence[str | int] | None = None, max_objects: int | None = None
    ) -> Tracks:
        """Return the objects whose tracks have a score of at least `min_score` and one of `classes`, in order.

        `classes` are names or category ids, None for all; `max_objects` keeps those with the highest scores.
        Raises UserError for a class that the model does not know.

        >>> tracks.filter(classes=["ring"], max_objects=1)
        frame 17: 0 ring 0.88
        """
        kept = self.track_scores >= min_score
        if classes is not None:
            kept &= torch.isin(self.track_labels, torch.tensor(self._labels_of(classes), dtype=torch.int64))
        rows = kept.nonzero().flatten()
        if max_objects is not None and len(rows) > max_objects:
            best = self.track_scores[rows].argsort(descending=True, stable=True)[: max(max_objects, 0)]
            rows = rows[best.sort().values]
        return self[rows]

    def numpy(self) -> dict[str, np.ndarray]:
        """Return all values of the objects by name as arrays (N, ...) on the host.

        >>> {name: array.shape for name, array in tracks.numpy().items() if name in ("boxes", "masks", "track_scores")}
        {'boxes': (3, 4), 'masks': (3, 20, 40), 'track_scores': (3,)}
        """
        names = ("boxes", "masks", "labels", "scores", "track_ids", "box_sigma", "centerness", "embeddings")
        return {name: getattr(self, name).numpy(force=True) for name in (*names, "track_labels", "track_scores")}

    def to_coco(self, image_id: int) -> list[dict[str, Any]]:
        """Return the objects as COCO results of the image `image_id`, each with its `track_id`.

        Category and score are the track's, boxes are x, y, width, height, masks compressed RLE.

        >>> first, *others = tracks.to_coco(image_id=3)
        >>> first["category_id"], first["score"], first["bbox"], first["segmentation"]["size"]
        (20, 0.875, [0.0, 4.0, 8.0, 8.0], [20, 40])
        """
        codes = encode_masks(self.masks) if len(self) else []
        corners = self.boxes.numpy(force=True).astype(np.float64)
        boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)
        return [
            {
                "image_id": image_id,
                "category_id": self.category_ids[label],
                "track_id": track_id,
                "score": score,
                "bbox": box,
                "area": area,
                "segmentation": code,
            }
            for label, track_id, score, box, area, code in zip(
                self.track_labels.tolist(),
                self.track_ids.tolist(),
                self.track_scores.tolist(),
                boxes.tolist(),
                mask_areas(codes).tolist(),
                codes,
                strict=True,
            )
        ]

    def to_supervision(self) -> supervision.Detections:
        """Return the objects as `supervision.Detections`: class and confidence are the track's, names in its data.

        Raises UserError where the package is not installed.

        >>> tracks.to_supervision().data["class_name"].tolist()
        ['ring', 'star', 'ring']
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise UserError("to_supervision() needs the package supervision: pip install supervision") from error
        return Detections(
            xyxy=self.boxes.numpy(force=True),
            mask=self.masks.numpy(force=True),
            confidence=self.track_scores.numpy(),
            class_id=self.track_labels.numpy(),
            tracker_id=self.track_ids.numpy(force=True),
            data={"class_name": np.array(self.names, dtype=str)},
        )

    def draw(self, frame: Picture, style: DrawStyle = PLAIN, trails: Trails | None = None, factor: int = 1) -> Picture:
        """Return a picture of the frame (H, W, 3) uint8 RGB with all objects, tagged with id, class and score.

        `trails`: where the tracks were, see `Trails`; it is shown if `style.trails` says of how many frames. Update it
        once per frame, before drawing.
        `factor`: the picture is so many times as large as the frame, so that tags on small frames are readable

        >>> from mmdet import DrawStyle
        >>> tracks.draw(np.zeros((20, 40, 3), np.uint8), DrawStyle(boxes=True, labels=False)).shape
        (20, 40, 3)
        """
        objects = objects_of_tracks(self, self.class_names, style=style, trails=trails)
        return draw_objects(*enlarge(frame, objects, factor), style)

    def _labels_of(self, classes: Sequence[str | int]) -> list[int]:
        known: list[str | int] = [*self.class_names, *self.category_ids]
        if isinstance(classes, str):
            classes = [classes]
        labels = []
        for wanted in classes:
            if wanted not in known:
                ids = ", ".join(map(str, self.category_ids[:20]))
                hint = suggestion(wanted, self.class_names) if isinstance(wanted, str) else f"category ids: {ids}"
                raise UserError(f"class {shown(wanted)} is not of this model; {hint}")
            labels += [label % len(self.class_names) for label, one in enumerate(known) if one == wanted]
        return labels
