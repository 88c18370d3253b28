"""A config of the parts beside it: python train.py docs/examples/own_parts.py. The demo set is that of the quickstart.

Result   not measured: the parts show how parts are added, not that these are good
"""

_base_ = ["../../configs/_base_/runtime.py"]

custom_imports = dict(
    imports=[
        "plain_backbone",
        "plain_neck",
        "plain_head",
        "nearest_assigner",
        "calm_criterion",
        "overlap_tracker",
        "repeated_videos",
        "random_brightness",
        "time_budget",
    ]
)

model = dict(
    type="VISModel",
    backbone=dict(type="PlainBackbone", width=16),
    neck=dict(type="PlainNeck", channels=32),
    head=dict(type="PlainHead", num_classes=5),
    criterion=dict(type="CalmCriterion", assigner=dict(type="NearestAssigner", per_level=2), calm=0.01),
    postprocess=dict(type="PostProcess", score_threshold=0.05),
)
tracker = dict(type="OverlapTracker", overlap=0.3)

data = dict(
    train=dict(
        datasets=[
            dict(
                type="RepeatedVideos",
                ann_file="data/demo/annotations/instances_train.json",
                img_prefix="data/demo/train_images",
                transforms=[dict(type="RandomBrightness", low=0.7, high=1.3), dict(type="RandomFlip")],
                times=2,
            )
        ],
        batch_size=2,
        workers=2,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/demo/annotations/instances_valid.json",
            img_prefix="data/demo/valid_images",
            transforms=[],
        )
    ),
)

optimizer = dict(type="AdamW", lr=1e-3)
schedule = dict(steps=50)
custom_hooks = [dict(type="TimeBudget", minutes=60)]
