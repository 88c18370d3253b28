"""The published recipe of SipMask-VIS (docs/BASELINES.md 2.6): 12 epochs of SGD with 8 pairs on each of 4 GPUs.

Biases of convolutions learn twice as fast and do not decay; so does that of the norm behind the deformable one.
"""

optimizer = dict(
    type="SGD",
    lr=0.005,
    momentum=0.9,
    weight_decay=1e-4,
    paramwise=[
        dict(pattern="neck.*.bias", lr_mult=2.0, weight_decay=0.0),
        dict(pattern="head.*_conv.bias", lr_mult=2.0, weight_decay=0.0),
        dict(pattern="head.*_fuse.bias", lr_mult=2.0, weight_decay=0.0),
        dict(pattern="head.cls_align.norm.bias", lr_mult=2.0, weight_decay=0.0),
    ],
)
schedule = dict(
    epochs=12,
    warmup_steps=1000,
    warmup_ratio=1 / 80,
    decay="step",
    milestones=[8, 11],
    gamma=0.1,
    base_batch_size=32,  # 4 GPUs with 8 pairs each; for --auto-scale-lr
)
