"""SipMask-VIS on EfficientNet-Lite0 and the small set of natural cut-outs; steps and weights as in cocopaste_lite0.py.

Command  python train.py configs/baselines/cocopaste_sipmask_vis_lite0.py
Weights  timm's tf_efficientnet_lite0 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/sipmask_vis.py",
    "../_base_/datasets/cocopaste.py",
    "../_base_/schedule_sipmask_vis.py",
    "../_base_/runtime.py",
]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="tf_efficientnet_lite0",
        pretrained="data/weights/tf_efficientnet_lite0_timm.pth",
    ),
    head=dict(num_classes=6),
    pixel_mean=(127.0, 127.0, 127.0),
    pixel_std=(128.0, 128.0, 128.0),
)

# As in schedule_short.py. Gradients are clipped: it starts from ImageNet weights, not from a detector.
schedule = dict(
    _delete_=True,
    steps=1719,
    warmup_steps=300,
    warmup_ratio=1 / 80,
    milestones=[0.7, 0.92],
    milestone_unit="fraction",
)
