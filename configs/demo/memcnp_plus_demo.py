"""MemCNP plus in small for the generated demo set: the steps of memcnp_demo.py, without pretrained weights.

Command  python train.py configs/demo/memcnp_plus_demo.py
Cost     341 s of training on two CPU cores
Result   AP 0.590 (one seed) where memcnp_demo.py reaches 0.256 on the same machine; docs/results.md
"""

_base_ = ["../_base_/memcnp_plus.py", "../_base_/runtime.py"]

model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="resnet10t",
        frozen_bn=False,
        options=dict(channels=(32, 64, 128, 256), stem_width=16),
    ),
    neck=dict(channels=64),
    head=dict(num_classes=5, embedding_channels=64, mask_channels=8, mask_width=32),
)

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/demo/annotations/instances_train.json",
                img_prefix="data/demo/train_images",
                reference_masks=True,
                transforms=[dict(type="CopyPaste", probability=0.5), dict(type="RandomFlip", probability=0.5)],
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

optimizer = dict(type="AdamW", lr=2e-3, weight_decay=0.05)
schedule = dict(steps=1350, warmup_steps=50, warmup_ratio=0.02, decay="cosine")
runtime = dict(grad_clip=10.0, log_every=50, checkpoint_every=1)
