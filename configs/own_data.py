"""A commented example for your own data: copy it, change the paths and the number of classes, and train.

Command  python tools/check_data.py data/mine/annotations/train.json --img-prefix data/mine/train --draw sheets
         python tools/make_split.py data/mine/annotations/train.json --valid 0.1     (if you have no validation set:
             writes train_train.json and train_valid.json beside it; both use the images of data/mine/train)
         python train.py configs/own_data.py --validate
Result   not measured
"""

_base_ = ["_base_/memcnp.py", "_base_/runtime.py"]

# The classes of your json, in the order of its `categories`. Only their number is needed: `num_classes` of the head.
model = dict(
    backbone=dict(
        # Any timm model with maps at strides 8, 16 and 32. `pretrained` is a file with its weights; None starts
        # from random weights. For a ViT with MAE weights take the backbone of _base_/memcnp_vit_b.py.
        type="TimmBackbone",
        name="resnet50",
        pretrained="data/weights/resnet50_a1_in1k.pth",
        # For very few videos: 0 freezes the stem, 1 the first stage as well. `model.frozen` freezes any part by name.
        frozen_stages=-1,
    ),
    head=dict(num_classes=3),
    # At least the number of objects in the most crowded frame.
    postprocess=dict(max_per_image=10),
)

data = dict(
    train=dict(
        # Several sets can be mixed: list them all and give `ratios`, one number per set.
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/mine/annotations/train.json",
                img_prefix="data/mine/train",
                transforms=[
                    # Each edge is drawn at random from its range; the image is scaled to fit within both.
                    dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480)),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=4,  # pairs of frames per GPU
        workers=4,
    ),
    # What test_video.py runs on, and what --validate scores after every epoch (set `valid` to score
    # another data set). A file without annotations works too: its results are written but not scored.
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/mine/annotations/valid.json",
            img_prefix="data/mine/valid",
            transforms=[dict(type="ResizeKeepRatio", long_edge=960, short_edge=480)],
        ),
    ),
)

# The pretrained backbone learns at a tenth of the rate, so that few videos do not undo what it has learned. To
# start from a whole trained model instead: train.py ... --load_from CHECKPOINT; its classes may differ.
optimizer = dict(type="AdamW", lr=1e-4, weight_decay=0.05, paramwise=[dict(pattern="backbone", lr_mult=0.1)])
schedule = dict(epochs=12, warmup_steps=500, warmup_ratio=0.01, decay="cosine")
