"""A checkpoint of random weights for the demo's config, which finds something in every frame, and videos of noise."""

from pathlib import Path

import cv2
import numpy as np
import torch

from mmdet.config import load_config
from mmdet.models.build import build_model

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "demo" / "memcnp_demo.py"
NAMES = "abcde"  # of the classes


def save_checkpoint(path):
    torch.manual_seed(0)
    model = build_model(load_config(CONFIG))
    torch.nn.init.constant_(model.head.cls_conv.bias, 1.0)
    torch.save({"model": model.state_dict(), "about": {"class_names": list(NAMES)}}, path)
    return path


def write_video(folder, seed=0, length=3, size=(128, 192)):
    """A folder of images."""
    folder.mkdir()
    for index, frame in enumerate(np.random.default_rng(seed).integers(0, 256, (length, *size, 3), dtype=np.uint8)):
        cv2.imwrite(str(folder / f"{index}.png"), frame)
    return folder
