"""A small MaskTrack R-CNN for the generated demo set: the steps of memcnp_demo.py, without pretrained weights.

Command  python train.py configs/demo/masktrack_rcnn_demo.py
Cost     not measured
Result   not measured
"""

_base_ = ["../_base_/masktrack_rcnn.py", "../_base_/datasets/demo.py", "../_base_/runtime.py"]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="resnet10t",
        frozen_bn=False,
        options=dict(channels=(32, 64, 128, 256), stem_width=16),
        out_strides=(4, 8, 16, 32),
    ),
    neck=dict(channels=64),
    rpn=dict(num_per_level=100, num_proposals=100),
    head=dict(num_classes=5, width=256),
    criterion=dict(region_sampler=dict(num=64)),
    postprocess=dict(max_per_image=20, score_threshold=0.1),
)

# `_base_.data` is the data section of the demo set; regions are cut out of whole masks, and references are near.
data = dict(
    train=dict(datasets=[dict(_base_.data.train.datasets[0], whole_masks=True, max_jitter=0.0, max_gap=5)]),
)

optimizer = dict(type="AdamW", lr=1e-3, weight_decay=0.05)
schedule = dict(steps=1350, warmup_steps=50, warmup_ratio=0.02, decay="cosine")
runtime = dict(grad_clip=10.0, log_every=50, checkpoint_every=1, validate_every=1000)
