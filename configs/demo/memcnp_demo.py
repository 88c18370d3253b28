"""A small MemCNP-VIS for the generated demo set, trained without pretrained weights on two CPU cores in minutes.

Command  bash tools/quickstart.sh
Cost     about five minutes of training on two free CPU cores
Result   AP 0.256 to 0.319 on the held-out videos, by machine, torch and state of the code; docs/results.md
"""

_base_ = ["../_base_/memcnp.py", "../_base_/runtime.py"]

model = dict(
    # Four residual blocks of half the usual width. Without pretrained weights the batch norms have to be trained.
    backbone=dict(
        type="TimmBackbone",
        name="resnet10t",
        frozen_bn=False,
        options=dict(channels=(32, 64, 128, 256), stem_width=16),
    ),
    neck=dict(channels=64),
    head=dict(num_classes=5, memory=dict(num_slots=32)),
    postprocess=dict(max_per_image=20, score_threshold=0.1),
)

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/demo/annotations/instances_train.json",
                img_prefix="data/demo/train_images",
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

optimizer = dict(type="AdamW", lr=3e-3, weight_decay=0.05)
schedule = dict(steps=1350, warmup_steps=50, warmup_ratio=0.02, decay="cosine")
# With --validate it validates at the end alone: the whole training takes minutes.
runtime = dict(grad_clip=10.0, log_every=50, checkpoint_every=1, validate_every=1000)
