"""MemCNP-VIS as published: ViT-B with MAE weights, YouTube-VIS 2021, multi-scale, 12 epochs.

Command  python train.py configs/vitmae_cnp_contrast_ms_1x.py --work_dir ./workdir/vit-b_memcnp_yvis --gpus 4
Weights  mae_pretrain_vit_base.pth (facebookresearch/mae) at the path of `pretrained`
Cost     67 ms per step of 4 pairs, 4.0 GiB on one NVIDIA H200 at 480x864; the whole run is not measured
Result   not measured
"""

_base_ = [
    "_base_/memcnp_vit_b.py",
    "_base_/datasets/youtube_vis_2021.py",
    "_base_/schedule_1x.py",
    "_base_/runtime.py",
]
