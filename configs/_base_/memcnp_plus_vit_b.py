"""MemCNP plus on ViT-B, which starts from MAE weights: mae_pretrain_vit_base.pth of facebookresearch/mae."""

_base_ = ["memcnp_plus.py"]

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
