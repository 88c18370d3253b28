"""SipMask-VIS in small for the generated demo set: backbone, steps and optimiser of memcnp_demo.py.

Command  python train.py configs/demo/sipmask_vis_demo.py
Cost     not measured
Result   not measured
"""

_base_ = ["../_base_/sipmask_vis.py", "../_base_/datasets/demo.py", "../_base_/runtime.py"]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="resnet10t",
        frozen_bn=False,
        options=dict(channels=(32, 64, 128, 256), stem_width=16),
    ),
    neck=dict(channels=64),
    head=dict(num_classes=5),
    postprocess=dict(max_per_image=20, score_threshold=0.1),
)

optimizer = dict(type="AdamW", lr=3e-3, weight_decay=0.05)
schedule = dict(steps=1350, warmup_steps=50, warmup_ratio=0.02, decay="cosine")
runtime = dict(grad_clip=10.0, log_every=50, checkpoint_every=1, validate_every=1000)
