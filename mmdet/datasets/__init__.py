"""From an annotation file and a folder of frames to batches of clips."""

from mmdet.datasets.items import ClipDataset, ItemKey
from mmdet.datasets.loader import make_test_loader, make_train_loader
from mmdet.datasets.mixed import MixedDataset
from mmdet.datasets.samplers import ChunkSampler, PairBatchSampler, VideoFrame
from mmdet.datasets.transforms.affine import RandomAffine, StillPairs
from mmdet.datasets.transforms.copy_paste import CopyPaste
from mmdet.datasets.transforms.degrading import GaussianBlur, JPEGNoise, MotionBlur
from mmdet.datasets.transforms.erasing import RandomErasing
from mmdet.datasets.transforms.geometric import RandomFlip, RawFrame, ResizeKeepRatio, Transform
from mmdet.datasets.transforms.independent_crop import IndependentCrop
from mmdet.datasets.transforms.large_scale_jitter import LargeScaleJitter
from mmdet.datasets.transforms.photometric import ColorJitter
from mmdet.datasets.transforms.torchvision_adapter import TorchVisionTransform
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.fileio.annotations.vis_json import Category, Track, VideoInfo, VISJson, load_vis_json, write_vis_json

__all__ = [
    "Category",
    "ChunkSampler",
    "ClipDataset",
    "ColorJitter",
    "CopyPaste",
    "GaussianBlur",
    "IndependentCrop",
    "ItemKey",
    "JPEGNoise",
    "LargeScaleJitter",
    "MixedDataset",
    "MotionBlur",
    "PairBatchSampler",
    "RandomAffine",
    "RandomErasing",
    "RandomFlip",
    "RawFrame",
    "ResizeKeepRatio",
    "StillPairs",
    "TorchVisionTransform",
    "Track",
    "Transform",
    "VISDataset",
    "VISJson",
    "VideoFrame",
    "VideoInfo",
    "load_vis_json",
    "make_test_loader",
    "make_train_loader",
    "write_vis_json",
]
