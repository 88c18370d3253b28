"""The nouns: small frozen dataclasses in which the modules talk to each other (torch and numpy only)."""

from mmdet.structures.clips import ClipBatch, ClipSample, collate_clips
from mmdet.structures.detections import ChunkDetections
from mmdet.structures.frames import FrameDetections, FrameMeta, FrameObjects, FrameTracks, FrameTruth, Size
from mmdet.structures.outputs import Assignment, HeadOutputs, PointGrid
from mmdet.structures.results import RLE, Box, PerFrame, TrackTube, VideoResult, results_to_json
from mmdet.structures.truths import PaddedTruth

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
    "Size",
    "TrackTube",
    "VideoResult",
    "collate_clips",
    "results_to_json",
]
