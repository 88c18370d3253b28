"""The published recipe of FCOS (docs/BASELINES.md 4): 12 epochs of SGD with 4 images on each of 4 GPUs.

Biases of convolutions learn twice as fast and do not decay. The rate is a third for 500 steps, then whole.
"""

optimizer = dict(
    type="SGD",
    lr=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    paramwise=[
        dict(pattern="neck.*.bias", lr_mult=2.0, weight_decay=0.0),
        dict(pattern="head.*_conv.bias", lr_mult=2.0, weight_decay=0.0),
    ],
)
schedule = dict(
    epochs=12,
    warmup="constant",
    warmup_steps=500,
    warmup_ratio=1 / 3,
    decay="step",
    milestones=[8, 11],
    gamma=0.1,
    base_batch_size=16,  # 4 GPUs with 4 images each; for --auto-scale-lr
)
