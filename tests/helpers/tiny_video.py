"""A predictor with one of the real models at its smallest, and videos of noise for it."""

import numpy as np
import torch
from small_model import small_model, small_plus_model, small_two_stage_model

from mmdet.datasets import ResizeKeepRatio, VideoInfo
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.models import PlusModel, TwoStageModel, VISModel
from mmdet.structures import ClipBatch
from mmdet.tracking import AppearanceTracker, Tracker

SIZE = (50, 75)


def make_predictor(model="published", **parts):
    torch.manual_seed(0)
    transforms = [ResizeKeepRatio(96, 64)]
    if model == "plus":
        plus = PlusModel(**small_plus_model(32, score_threshold=1e-4, max_per_image=5), **parts)
        return VideoPredictor(plus, AppearanceTracker(), transforms)
    if model == "two_stage":
        two_stage = TwoStageModel(**small_two_stage_model(score_threshold=0.01, max_per_image=5), **parts)
        return VideoPredictor(two_stage, Tracker(affinity="inner_product"), transforms)
    published = VISModel(**small_model(32, num_slots=128, score_threshold=1e-4, max_per_image=5), **parts)
    return VideoPredictor(published, Tracker(), transforms)


def make_video(seed, length=4, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (length, *size, 3), dtype=np.uint8)


def make_set(predictor, size):
    """Two videos by id, what a data set knows of them, and their frames in chunks of `size`."""
    videos = {1: make_video(1, length=8), 2: make_video(2, length=4)}
    infos = [VideoInfo(video_id, SIZE, ["frame.jpg"] * len(frames)) for video_id, frames in videos.items()]
    chunks = (chunk for video_id, frames in videos.items() for chunk in make_chunks(predictor, frames, video_id, size))
    return videos, infos, chunks


def make_chunks(predictor, frames, video_id, size):
    """Batches of up to `size` frames of a video."""
    prepared = [predictor.prepare(frame, video_id, index) for index, frame in enumerate(frames)]
    for start in range(0, len(frames), size):
        part = prepared[start : start + size]
        yield ClipBatch(
            images=torch.cat([batch.images for batch in part]),
            valid=torch.cat([batch.valid for batch in part]),
            truth=None,
            metas=sum((batch.metas for batch in part), ()),
        )
