"""The nouns: small frozen dataclasses in which the modules talk to each other (torch and numpy only)."""

from mmdet.structures.clips import ClipBatch, ClipSample, collate_clips
from mmdet.structures.frames import FrameDetections, FrameMeta, FrameTracks, FrameTruth, Size
from mmdet.structures.outputs import Assignment, HeadOutputs, PointGrid
from mmdet.structures.results import RLE, Box, TrackTube, VideoResult, results_to_json

__all__ = [
    "RLE",
    "Assignment",
    "Box",
    "ClipBatch",
    "ClipSample",
    "FrameDetections",
    "FrameMeta",
    "FrameTracks",
    "FrameTruth",
    "HeadOutputs",
    "PointGrid",
    "Size",
    "TrackTube",
    "VideoResult",
    "collate_clips",
    "results_to_json",
]
