"""MemCNP-VIS on timm's ResNet-50 with frozen batch norms: YouTube-VIS 2021, multi-scale, 12 epochs.

Command  python train.py configs/r50_cnp_contrast_ms_1x.py --gpus 4
Weights  timm's resnet50.a1_in1k as a state dict at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "_base_/memcnp.py",
    "_base_/datasets/youtube_vis_2021.py",
    "_base_/schedule_1x.py",
    "_base_/runtime.py",
]

model = dict(
    backbone=dict(type="TimmBackbone", name="resnet50", pretrained="data/weights/resnet50_a1_in1k.pth", frozen_bn=True),
)
