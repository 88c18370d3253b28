"""MemCNP-VIS on EfficientNet-Lite0 and a small set of natural video with one object per frame (docs/results.md).

The data set (YouTube-VIS json, 7 classes, 432x240) is not distributed.
Command  python train.py configs/baselines/davis16_small_lite0.py
Weights  timm's tf_efficientnet_lite0 at the path of `pretrained`
Cost     not measured
Result   AP 0.347 (one seed); docs/results.md
"""

_base_ = ["../_base_/memcnp.py", "../_base_/schedule_short.py", "../_base_/runtime.py"]

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
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=(576, 704), short_edge=(320, 400)),
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
