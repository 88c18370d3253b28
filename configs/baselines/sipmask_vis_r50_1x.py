"""SipMask-VIS on ResNet-50, as published (docs/BASELINES.md 2.6): YouTube-VIS 2019 or 2021, one scale, 12 epochs.

Command  python train.py configs/baselines/sipmask_vis_r50_1x.py --gpus 4
Weights  a caffe-style ResNet-50 at `pretrained`; the release starts from a SipMask trained on COCO (--load_from)
Cost     not measured
Result   not measured; its authors name mask AP 32.5 on YouTube-VIS 2019 valid
"""

_base_ = [
    "../_base_/sipmask_vis_r50.py",
    "../_base_/datasets/youtube_vis_2021_360.py",
    "../_base_/schedule_sipmask_vis.py",
    "../_base_/runtime.py",
]

runtime = dict(grad_clip=None)  # the release does not clip
