"""MemCNP plus on ViT-B with MAE weights, OVIS: 25 classes, up to 20 objects per frame.

Command  python train.py configs/memcnp_plus_vitb_ovis.py --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "_base_/memcnp_plus_vit_b.py",
    "_base_/datasets/ovis.py",
    "_base_/schedule_plus_vit_b.py",
    "_base_/runtime.py",
]

model = dict(head=dict(num_classes=25), postprocess=dict(max_per_image=20))

# `_base_.data` is the data section of the file above: other transforms, and masks of all frames of a clip.
data = dict(
    train=dict(
        datasets=[
            dict(
                _base_.data.train.datasets[0],
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
    ),
)
