"""MemCNP-VIS on ViT-B, YouTube-VIS 2021 and COCO's stills in equal shares: joint training, otherwise as published.

Command  python train.py configs/joint/memcnp_vitb_yvis_coco.py --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["../vitmae_cnp_contrast_ms_1x.py", "../_base_/datasets/coco_stills.py"]

data = dict(train=dict(datasets=[*_base_.data.train.datasets, _base_.coco_stills], ratios=[1, 1]))
