"""Read frames of a set with the objects that are seen in them: images, boxes, masks, labels and ids."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from mmdet.datasets.seen_objects import seen_box
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.errors import FrameError, UserError
from mmdet.fileio.annotations.vis_json import Track, VISJson
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.ops.masks.pixels import decode_masks
from mmdet.structures import Size


class FrameReader:
    """The videos of one annotation file; they are named by their index in it.

    `least`: least width and height of a box inside of the image that counts as seen, in pixels
    """

    def __init__(self, data: VISJson, ann_file: str, img_prefix: str, least: float) -> None:
        self.ann_file, self.img_prefix, self.least = ann_file, img_prefix, least
        self.videos = data.videos
        self.labels = {category.category_id: label for label, category in enumerate(data.categories)}
        tracks = defaultdict(list)
        for track in data.tracks:
            tracks[track.video_id].append(track)
        self._tracks: list[list[Track]] = [tracks[video.video_id] for video in self.videos]

    def track_labels(self) -> list[int]:
        """Return the labels of all tracks."""
        return [self.labels[track.category_id] for tracks in self._tracks for track in tracks]

    def seen(self, video_index: int, frame_index: int) -> list[Track]:
        """Return the tracks seen in a frame."""
        size = self.videos[video_index].size
        return [track for track in self._tracks[video_index] if seen_box(track, frame_index, size, self.least)]

    def classes(self, video_index: int, frame_index: int) -> frozenset[int]:
        """Return the labels of the objects seen in a frame, crowds left out."""
        tracks = self.seen(video_index, frame_index)
        return frozenset(self.labels[track.category_id] for track in tracks if not track.is_crowd)

    def frames_with_objects(self, video_index: int) -> list[int]:
        """Return the annotated frames of a video that show an object that is not a crowd."""
        video = self.videos[video_index]
        frames = range(len(video.file_names)) if video.annotated_frames is None else video.annotated_frames
        tracks = [track for track in self._tracks[video_index] if not track.is_crowd]
        return [i for i in frames if any(seen_box(track, i, video.size, self.least) for track in tracks)]

    def read(self, video_index: int, frame_index: int, with_objects: bool = True, with_masks: bool = True) -> RawFrame:
        """Return a frame with the boxes (and masks, `with_masks`) of the tracks seen in it.

        Raises FrameError if the image cannot be read.
        """
        video = self.videos[video_index]
        tracks = self.seen(video_index, frame_index) if with_objects else []
        path = frame_path(self.img_prefix, video.file_names[frame_index])
        try:
            image = read_image(path, video.size)
        except UserError as error:
            raise FrameError(str(error)) from error
        boxes = [seen_box(track, frame_index, video.size, self.least) for track in tracks]
        return RawFrame(
            image=image,
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            masks=self._masks(tracks if with_masks else [], frame_index, video.size),
            scale=1.0,
            original_size=video.size,
            frame_index=frame_index,
            is_crowd=np.array([track.is_crowd for track in tracks], bool),
            labels=np.array([self.labels[track.category_id] for track in tracks], np.int64),
            instance_ids=np.array([track.annotation_id for track in tracks], np.int64),
        )

    def _masks(self, tracks: list[Track], frame_index: int, size: Size) -> np.ndarray:
        """Return (N, H, W) uint8 of the tracks in a frame. Raises UserError that names the first malformed one."""
        segmentations = [track.segmentations[frame_index] for track in tracks]
        try:
            return decode_masks(segmentations, size)
        except ValueError:
            for track, segmentation in zip(tracks, segmentations, strict=True):
                try:
                    decode_masks([segmentation], size)
                except ValueError as error:
                    where = f"annotation {track.annotation_id}, video {track.video_id}, frame {frame_index}"
                    raise UserError(f"{self.ann_file}: {where}: the segmentation cannot be decoded: {error}") from error
            raise
