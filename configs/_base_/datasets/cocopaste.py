"""The small set of natural cut-outs, 6 classes, for the baselines: a reference is any other frame of the video."""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/cocopaste/annotations/instances_train.json",
                img_prefix="data/cocopaste/train/JPEGImages",
                max_gap=None,
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
            ann_file="data/cocopaste/annotations/instances_valid.json",
            img_prefix="data/cocopaste/valid/JPEGImages",
            transforms=[dict(type="ResizeKeepRatio", long_edge=640, short_edge=360)],
        ),
        chunk_size=10,
        workers=8,
    ),
)
