"""MemCNP plus on EfficientNet-Lite0 and a small natural set, one object per video; steps and weights as in its twin.

Command  python train.py configs/baselines/davis16_small_plus_lite0.py
Result   AP 0.235, 0.190, 0.266 (three seeds), less than its twin's 0.347; docs/results.md
"""

_base_ = ["../_base_/memcnp_plus.py", "../_base_/runtime.py"]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="tf_efficientnet_lite0",
        pretrained="data/weights/tf_efficientnet_lite0_timm.pth",
    ),
    head=dict(num_classes=7),
    pixel_mean=(127.0, 127.0, 127.0),
    pixel_std=(128.0, 128.0, 128.0),
)

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/davis16_small/annotations/instances_train.json",
                img_prefix="data/davis16_small/train/JPEGImages",
                reference_masks=True,
                max_gap=10,
                transforms=[
                    dict(type="CopyPaste", probability=0.5),
                    dict(type="ColorJitter"),
                    dict(type="ResizeKeepRatio", long_edge=(512, 768), short_edge=(288, 432), aligned_masks=True),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=4,
        workers=8,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/davis16_small/annotations/instances_valid.json",
            img_prefix="data/davis16_small/valid/JPEGImages",
            transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)],
        ),
        chunk_size=10,
        workers=8,
    ),
)

optimizer = dict(type="AdamW", lr=6e-4, weight_decay=0.05)
schedule = dict(steps=1719, warmup_steps=100, warmup_ratio=0.02, decay="cosine")
