"""MemCNP plus on ViT-B, YouTube-VIS 2021 and COCO's stills in equal shares: joint training, otherwise as alone.

Command  python train.py configs/joint/memcnp_plus_vitb_yvis_coco.py --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["../memcnp_plus_vitb_yvis.py", "../_base_/datasets/coco_stills.py"]

# Both frames of a clip learn, so both need their masks.
stills = dict(
    _base_.coco_stills,
    reference_masks=True,
    transforms=[
        dict(type="CopyPaste", probability=0.5),
        dict(type="IndependentCrop", fraction=(0.5, 1.0)),
        dict(type="ColorJitter"),
        dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480), aligned_masks=True),
        dict(type="RandomFlip", probability=0.5),
    ],
)
data = dict(train=dict(datasets=[*_base_.data.train.datasets, stills], ratios=[1, 1]))
