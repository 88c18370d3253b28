"""Your own data, at one scale of 640 x 360, as the baselines of docs/BASELINES.md were published.

A reference is any other frame of the video. Change the paths; docs/data.md has the format.
"""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/mine/annotations/train.json",
                img_prefix="data/mine/train",
                max_gap=None,
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=640, short_edge=360),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=8,
        workers=4,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/mine/annotations/valid.json",
            img_prefix="data/mine/valid",
            transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)],
        ),
        chunk_size=8,
        workers=4,
    ),
)
