"""MemCNP-VIS with ViT-B and MAE weights on OVIS: 25 classes, up to 20 objects per frame.

Command  python train.py configs/vitmae_cnp_contrast_ms_1x_ovis.py --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "_base_/memcnp_vit_b.py",
    "_base_/datasets/ovis.py",
    "_base_/schedule_1x.py",
    "_base_/runtime.py",
]

model = dict(head=dict(num_classes=25), postprocess=dict(max_per_image=20))
