"""Small frozen dataclasses that modules pass to each other: frames, clips, outputs, detections, results."""

from mmdet.structures.chunk_detections import ChunkDetections
from mmdet.structures.clips import ClipBatch, ClipSample, collate_clips
from mmdet.structures.frames import FrameDetections, FrameMeta, FrameObjects, FrameTracks, FrameTruth, Size
from mmdet.structures.head_outputs import Assignment, HeadOutputs, PointGrid
from mmdet.structures.padded_truth import PaddedTruth
from mmdet.structures.per_frame import PerFrame
from mmdet.structures.results import RLE, Box, Ranking, TrackTube, VideoResult, results_to_json

__all__ = [
    "RLE",
    "Assignment",
    "Box",
    "ChunkDetections",
    "ClipBatch",
    "ClipSample",
    "FrameDetections",
    "FrameMeta",
    "FrameObjects",
    "FrameTracks",
    "FrameTruth",
    "HeadOutputs",
    "PaddedTruth",
    "PerFrame",
    "PointGrid",
    "Ranking",
    "Size",
    "TrackTube",
    "VideoResult",
    "collate_clips",
    "results_to_json",
]
