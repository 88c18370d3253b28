"""OVIS, 25 classes, multi-scale training. data/README.md says where the files go."""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/OVIS/annotations/annotations_train.json",
                img_prefix="data/OVIS/train_images",
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480)),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=4,
        workers=4,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/OVIS/annotations/annotations_valid.json",
            img_prefix="data/OVIS/valid_images",
            transforms=[dict(type="ResizeKeepRatio", long_edge=960, short_edge=480)],
        ),
        chunk_size=8,
        workers=4,
    ),
)
