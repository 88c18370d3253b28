"""MemCNP plus on EfficientNet-Lite0 and the small set of natural cut-outs; steps and weights as in cocopaste_lite0.py.

Command  python train.py configs/baselines/cocopaste_plus_lite0.py
Result   AP 0.307, 0.299, 0.293 (three seeds); the published release 0.189; docs/results.md
"""

_base_ = ["../_base_/memcnp_plus.py", "../_base_/runtime.py"]

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

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/cocopaste/annotations/instances_train.json",
                img_prefix="data/cocopaste/train/JPEGImages",
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
            ann_file="data/cocopaste/annotations/instances_valid.json",
            img_prefix="data/cocopaste/valid/JPEGImages",
            transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)],
        ),
        chunk_size=10,
        workers=8,
    ),
)

optimizer = dict(type="AdamW", lr=6e-4, weight_decay=0.05)
schedule = dict(steps=1719, warmup_steps=100, warmup_ratio=0.02, decay="cosine")
