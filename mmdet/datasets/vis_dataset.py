"""Assemble clips from a YouTube-VIS json and its frames: pairs or longer for training, single frames for testing.

Everything random in a sample comes from (seed, epoch, index, repeat), never from a worker or a rank. Source: MODEL.md 9
and 10 (Q17, Q18, Q19).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import cv2
import numpy as np
import torch

from mmdet.config.ranges import Amount, Natural, Range, Seed
from mmdet.datasets.frame_reader import FrameReader
from mmdet.datasets.items import PAIR, ItemKey, Spacing, choose_references
from mmdet.datasets.mapped_set import with_categories
from mmdet.datasets.seen_objects import training_notes
from mmdet.datasets.transforms.copy_paste import CopyPaste
from mmdet.datasets.transforms.geometric import RawFrame, Transform
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import VideoInfo, load_vis_json
from mmdet.fileio.pictures.frame_files import frame_path, missing_frames
from mmdet.registry import DATASETS, TRANSFORMS
from mmdet.structures import ClipSample, FrameMeta, FrameTruth

_SHOWN_PATH = 300  # the last characters of a path


@DATASETS.register_module()
class VISDataset:
    """The videos of one annotation file.

    In training the items are the annotated frames with an object that is not a crowd; in testing (`test_mode`) all
    frames of all videos. Masks of a reference are decoded only for transforms whose boxes or draws may depend on them.
    `notes` are sentences on what was read leniently or looks odd; in training a sample of the boxes is compared with
    the masks for them.

    `ann_file`, `img_prefix`: the annotation json, and the folder that its file names are relative to
    `transforms`: transforms or their configs, applied in this order
    `max_gap`: preferred distance of a reference, in frames; None: any other annotated frame is as good
    `clip_length`: frames of a training clip, the key first; `spacing`: how the others are chosen (choose_references)
    `min_box_size`: least width and height of a box inside of the image that counts as seen, in pixels
    `seed`: decides, with epoch and item, all random draws
    `check_files`: raise UserError at once if a frame is missing
    `reference_masks`: give reference frames their masks too, for models that learn from both frames
    `whole_masks`: give key frames their masks at full size too, for models that learn parts of them (two-stage ones)
    `max_jitter`: of the centres and sides of reference boxes, as a fraction of their sides (MODEL.md 6)
    `categories`: the classes to train on, in the order of labels, if they are not the file's own: see `with_categories`
    """

    def __init__(  # noqa: PLR0913  # which frames are read, how clips are drawn from them, and what is done with them
        self,
        ann_file: str,
        img_prefix: str,
        transforms: Sequence[dict[str, Any] | Transform],
        test_mode: bool = False,
        max_gap: Natural | None = 5,
        min_box_size: Amount = 1,
        seed: Seed = 0,
        check_files: bool = True,
        reference_masks: bool = False,
        clip_length: Annotated[int, Range(PAIR)] = PAIR,
        spacing: Spacing = "random",
        categories: list[str] | str | dict[str, Any] | None = None,
        whole_masks: bool = False,
        max_jitter: Amount = 0.05,
    ) -> None:
        data = load_vis_json(ann_file)
        self.file_class_names = tuple(category.name for category in data.categories)
        if categories is not None and test_mode:
            raise UserError("categories are for training sets: set data.test.map_categories to test on other classes")
        if categories is not None:
            data = with_categories(data, categories, ann_file)
        self.ann_file, self.img_prefix = str(ann_file), str(img_prefix)
        self.test_mode, self.max_gap, self.min_box_size, self.seed = test_mode, max_gap, min_box_size, seed
        self.transforms: list[Transform] = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in transforms]
        self.reference_masks, self.clip_length, self.spacing = reference_masks, clip_length, spacing
        needed = any(getattr(transform, "reads_masks", True) for transform in self.transforms)
        self._reads_reference_masks = reference_masks or needed
        self.whole_masks, self.max_jitter = whole_masks, max_jitter
        self.videos: list[VideoInfo] = data.videos
        self.category_ids = tuple(category.category_id for category in data.categories)  # index: label
        self.class_names = tuple(category.name for category in data.categories)
        self.has_annotations = data.has_annotations
        self._reader = FrameReader(data, self.ann_file, self.img_prefix, min_box_size)
        self._item_frames = [self._frames_of(index) for index in range(len(self.videos))]
        self._items = [(video, frame) for video, frames in enumerate(self._item_frames) for frame in frames]
        odd = [] if test_mode else training_notes(data, min_box_size)
        self.notes = tuple(f"{ann_file}: {note}" for note in (*data.notes, *odd))
        self._check(check_files)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the clip (key, reference, ...) of a training item or the frame of a test item."""
        video_index, frame_index = self._items[key.index]
        if self.test_mode:
            return self.test_sample(video_index, frame_index)
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.repeat])
        clip, places = self._read_clip(video_index, frame_index, rng)
        frames = self._transform(clip, rng)
        truths = (self._truth(frames[0]), *(self._truth(frame, self.reference_masks) for frame in frames[1:]))
        jitter = rng.uniform(-self.max_jitter, self.max_jitter, (len(truths[1]), 4)).astype(np.float32)
        return ClipSample(
            images=_to_images(frames),
            truths=truths,
            metas=tuple(self._meta(video_index, i, frame) for i, frame in zip(places, frames, strict=True)),
            reference_jitter=torch.from_numpy(jitter),
            whole_masks=self.whole_masks,
        )

    def test_sample(self, video_index: int, frame_index: int) -> ClipSample:
        """Return one frame of a video, given its index in `videos`, without truth."""
        return self._test_sample(video_index, frame_index, self._reader.read(video_index, frame_index, False))

    def blank_sample(self, video_index: int, frame_index: int) -> ClipSample:
        """Return `test_sample` with a black image instead of the file's."""
        size = self.videos[video_index].size
        raw = RawFrame(
            image=np.zeros((*size, 3), np.uint8),
            boxes=np.zeros((0, 4), np.float32),
            masks=np.zeros((0, *size), np.uint8),
            scale=1.0,
            original_size=size,
        )
        return self._test_sample(video_index, frame_index, raw)

    def _test_sample(self, video_index: int, frame_index: int, raw: RawFrame) -> ClipSample:
        (raw,) = self._transform([raw], np.random.default_rng([self.seed, video_index, frame_index]))
        images = _to_images([raw])
        return ClipSample(
            images=images,
            truths=(FrameTruth.empty((images.shape[-2], images.shape[-1])),),
            metas=(self._meta(video_index, frame_index, raw),),
            reference_jitter=torch.zeros(0, 4),
        )

    def frame_truth(self, video_index: int, frame_index: int) -> tuple[np.ndarray, FrameTruth]:
        """Return a frame (H, W, 3) uint8 RGB without transforms, and the truth that training sees in it."""
        raw = self._reader.read(video_index, frame_index)
        return raw.image, self._truth(raw)

    @property
    def num_tracks(self) -> Counter[str]:
        """Number of tracks of each class, by its name."""
        return Counter(self.class_names[label] for label in self._reader.track_labels())

    @property
    def num_classes(self) -> int:
        """Number of categories in the file."""
        return len(self.category_ids)

    @property
    def aspect_groups(self) -> np.ndarray:
        """(items,): 1 if the frame is wider than high, else 0."""
        wide = np.array([width > height for height, width in (video.size for video in self.videos)], dtype=np.int64)
        return wide[self.item_videos]

    @property
    def item_classes(self) -> list[frozenset[int]]:
        """The labels of the objects that each item's key frame shows, crowds left out."""
        return [self._reader.classes(video, frame) for video, frame in self._items]

    @property
    def item_videos(self) -> np.ndarray:
        """(items,): the index of each item's video."""
        return np.array([video for video, _ in self._items], dtype=np.int64)

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of all items: every epoch contains every item once."""
        return np.arange(len(self))

    def _frames_of(self, video_index: int) -> list[int]:
        """Return the frames of a video that are items."""
        if self.test_mode:
            return list(range(len(self.videos[video_index].file_names)))
        return self._reader.frames_with_objects(video_index)

    def _check(self, check_files: bool) -> None:
        paths = [frame_path(self.img_prefix, name) for video in self.videos for name in video.file_names]
        missing = missing_frames(paths) if check_files else []
        if missing:
            first = ", ".join(path[-_SHOWN_PATH:] for path in missing[:3])
            raise UserError(
                f"{len(missing)} of {len(paths)} frames of {self.ann_file} are missing, "
                f"first {first}; is img_prefix right? data/README.md says where the data goes"
            )
        if not self._items:
            needed = "videos" if self.test_mode else "annotated objects (validation files often have none), to train on"
            raise UserError(
                "; ".join(
                    [f"{self.ann_file} has no {needed}", *(n.removeprefix(f"{self.ann_file}: ") for n in self.notes)]
                )
            )
        drawn = [type(t).__name__ for t in self.transforms if getattr(t, "only_in_training", False)]
        if self.test_mode and drawn:
            raise UserError(f"{drawn[0]} draws at random: leave it out of the transforms for testing, or fix its sizes")

    def _read_clip(
        self, video_index: int, key: int, rng: np.random.Generator
    ) -> tuple[list[RawFrame], tuple[int, ...]]:
        """Return a frame and the references drawn for it, and the indices of all of them."""
        known, count = self._item_frames[video_index], self.clip_length - 1
        references = choose_references(known, key, rng, self.max_gap, count, self.spacing)
        frames = {key: self._reader.read(video_index, key)}
        first, needed = frames[key], self._reads_reference_masks
        for index in references:
            if index not in frames:  # stills, and videos shorter than the clip, come more than once
                frames[index] = self._reader.read(video_index, index, with_masks=needed)
        frames[key] = first if needed else replace(first, masks=first.masks[:0])
        return [first, *(frames[index] for index in references)], (key, *references)

    def _transform(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        for transform in self.transforms:
            if isinstance(transform, CopyPaste):
                frames = transform.paste(frames, self._other_clip, rng)
            else:
                frames = transform(frames, rng)
        return frames

    def _other_clip(self, rng: np.random.Generator) -> list[RawFrame]:
        """Draw a clip of any video."""
        video_index, frame_index = self._items[int(rng.integers(len(self._items)))]
        return self._read_clip(video_index, frame_index, rng)[0]

    def _truth(self, raw: RawFrame, with_masks: bool = True) -> FrameTruth:
        """Return the truth after the transforms: the rows whose box still has an area."""
        masks = raw.masks if with_masks else np.zeros((len(raw.boxes), 0, 0), np.uint8)
        assert raw.labels is not None
        assert raw.instance_ids is not None
        assert raw.is_crowd is not None
        truth = FrameTruth(
            boxes=torch.from_numpy(raw.boxes),
            labels=torch.from_numpy(raw.labels),
            masks=torch.from_numpy(np.ascontiguousarray(masks)).bool(),
            instance_ids=torch.from_numpy(raw.instance_ids),
            is_crowd=torch.from_numpy(raw.is_crowd),
        )
        kept = (truth.boxes[:, 2:] > truth.boxes[:, :2]).all(dim=1)
        return truth if kept.all() else truth[kept]

    def _meta(self, video_index: int, frame_index: int, raw: RawFrame) -> FrameMeta:
        return FrameMeta(
            video_id=self.videos[video_index].video_id,
            frame_index=frame_index,
            original_size=raw.original_size,
            input_size=(raw.image.shape[0], raw.image.shape[1]),
            scale=raw.scale,
        )


def _to_images(frames: list[RawFrame]) -> torch.Tensor:
    """Stack frames to (T, 3, H, W). Raises ValueError unless the transforms left all with one size."""
    first = frames[0].image
    images = np.empty((len(frames), 3, *first.shape[:2]), first.dtype)
    for planes, frame in zip(images, frames, strict=True):
        if (frame.image.shape, frame.image.dtype) != (first.shape, first.dtype):  # cv2 would write outside of the array
            raise ValueError(f"the frames of a clip have the shapes {first.shape} and {frame.image.shape}")
        cv2.split(frame.image, list(planes))
    return torch.from_numpy(images)
