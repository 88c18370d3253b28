"""MaskTrack R-CNN on EfficientNet-Lite0 and the small set of natural cut-outs; steps of cocopaste_lite0.py.

Command  python train.py configs/baselines/cocopaste_masktrack_rcnn_lite0.py
Weights  timm's tf_efficientnet_lite0 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/masktrack_rcnn.py",
    "../_base_/datasets/cocopaste.py",
    "../_base_/schedule_short.py",
    "../_base_/runtime.py",
]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="tf_efficientnet_lite0",
        pretrained="data/weights/tf_efficientnet_lite0_timm.pth",
        out_strides=(4, 8, 16, 32),
    ),
    head=dict(num_classes=6),
    pixel_mean=(127.0, 127.0, 127.0),
    pixel_std=(128.0, 128.0, 128.0),
)

# Masks are cut at the regions, and references are compared by their true boxes.
data = dict(
    train=dict(datasets=[dict(_base_.data.train.datasets[0], whole_masks=True, max_jitter=0.0)]),
)
