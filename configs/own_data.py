"""A commented example for your own data: copy it, change the paths and the number of classes, and train.

Command  python tools/check_data.py data/mine/annotations/train.json --img-prefix data/mine/train --draw sheets
         python tools/make_split.py data/mine/annotations/train.json --valid 0.1     (if nothing is held back yet:
             writes train_train.json and train_valid.json beside it, both with the images of data/mine/train)
         python train.py configs/own_data.py --validate
"""

_base_ = ["_base_/memcnp.py", "_base_/runtime.py"]

# The classes of your json, in the order of its `categories`. The head needs their number, here and nowhere else.
model = dict(
    backbone=dict(
        # Any timm model with maps at strides 8, 16 and 32. `pretrained` is a file with its weights, None starts
        # from nothing. For a ViT with MAE weights take the backbone of vitmae_cnp_contrast_ms_1x.py.
        type="TimmBackbone",
        name="resnet50",
        pretrained="data/weights/resnet50_a1_in1k.pth",
        # With very few videos: 0 freezes the stem, 1 the first stage as well. `model.frozen` freezes any part by name.
        frozen_stages=-1,
    ),
    head=dict(num_classes=3),
    # As many as the most crowded frame shows.
    postprocess=dict(max_per_image=10),
)

data = dict(
    train=dict(
        # Several sets can be mixed: list them all and give `ratios`, one number a set.
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/mine/annotations/train.json",
                img_prefix="data/mine/train",
                transforms=[
                    # Each edge is drawn from its range, the image is scaled to fit within both.
                    dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480)),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=4,  # pairs of frames a GPU
        workers=4,
    ),
    # What test_video.py runs on, and what --validate scores after every epoch (name another set as `valid` to keep
    # them apart). A file without annotations works too: its results are written and not scored.
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/mine/annotations/valid.json",
            img_prefix="data/mine/valid",
            transforms=[dict(type="ResizeKeepRatio", long_edge=960, short_edge=480)],
            test_mode=True,
        ),
    ),
)

# The pretrained backbone learns at a tenth of the rate, so that few videos do not undo what it knows. To start from a
# whole trained model instead: train.py ... --load_from CHECKPOINT, which need not have the same classes.
optimizer = dict(type="AdamW", lr=1e-4, weight_decay=0.05, paramwise=[dict(pattern="backbone", lr_mult=0.1)])
schedule = dict(epochs=12, warmup_steps=500, warmup_ratio=0.01, decay="cosine")
