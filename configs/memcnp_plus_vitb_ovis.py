"""MemCNP plus on ViT-B with MAE weights, OVIS: 25 classes, up to 20 objects per frame.

Command  python train.py configs/memcnp_plus_vitb_ovis.py --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["_base_/memcnp_plus_vit_b.py", "_base_/runtime.py"]

model = dict(head=dict(num_classes=25), postprocess=dict(max_per_image=20))

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/OVIS/annotations/annotations_train.json",
                img_prefix="data/OVIS/train_images",
                reference_masks=True,
                max_gap=10,
                transforms=[
                    dict(type="CopyPaste", probability=0.5),
                    dict(type="ColorJitter"),
                    dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480), aligned_masks=True),
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

# Four GPUs with four pairs each; with fewer, --auto-scale-lr.
optimizer = dict(type="AdamW", lr=2e-4, weight_decay=0.05, layer_decay=0.75)
schedule = dict(epochs=12, warmup_steps=1000, warmup_ratio=0.01, decay="cosine", base_batch_size=16)
