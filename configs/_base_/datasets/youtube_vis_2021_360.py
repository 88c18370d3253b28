"""YouTube-VIS 2021, 40 classes, at one scale of 640 x 360, as the baselines of docs/BASELINES.md were published.

A reference is any other frame of the video. data/README.md says where the files go.
"""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/YVIS/annotations/instances_train.json",
                img_prefix="data/YVIS/train_images",
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
            ann_file="data/YVIS/annotations/instances_valid.json",
            img_prefix="data/YVIS/valid_images",
            transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)],
        ),
        chunk_size=8,
        workers=4,
    ),
)
