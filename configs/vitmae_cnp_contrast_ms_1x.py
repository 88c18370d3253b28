"""MemCNP-VIS as published: ViT-B with MAE weights on YouTube-VIS 2021, multi-scale, 12 epochs.

Command  python train.py configs/vitmae_cnp_contrast_ms_1x.py --work_dir ./workdir/vit-b_memcnp_yvis --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     not measured on the whole data set
Result   not measured
"""

_base_ = [
    "_base_/memcnp.py",
    "_base_/datasets/youtube_vis_2021.py",
    "_base_/schedule_1x.py",
    "_base_/runtime.py",
]

model = dict(
    backbone=dict(
        type="ViTMAE",
        embed_dim=768,
        depth=12,
        num_heads=12,
        norm_eps=1e-5,
        out_blocks=(5, 8, 11),
        reset_blocks=(2, 5, 8, 11),
        checkpointing=True,
        pretrained="data/weights/mae_pretrain_vit_base.pth",
    ),
)
