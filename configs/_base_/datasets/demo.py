"""The generated demo set, 5 classes, for the baselines: a reference is any other frame of the video."""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/demo/annotations/instances_train.json",
                img_prefix="data/demo/train_images",
                max_gap=None,
                transforms=[dict(type="RandomFlip", probability=0.5)],
            )
        ],
        batch_size=4,
        workers=0,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/demo/annotations/instances_valid.json",
            img_prefix="data/demo/valid_images",
            transforms=[],
        ),
        chunk_size=4,
        workers=0,
    ),
)
