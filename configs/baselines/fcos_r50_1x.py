"""FCOS on ResNet-50, as published (docs/BASELINES.md 4): boxes on COCO, 12 epochs.

Command  python train.py configs/baselines/fcos_r50_1x.py --gpus 4
         python test_video.py configs/baselines/fcos_r50_1x.py CHECKPOINT --eval bbox
Weights  a caffe-style ResNet-50 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["../_base_/fcos_r50.py", "../_base_/datasets/coco.py", "../_base_/schedule_fcos.py", "../_base_/runtime.py"]

runtime = dict(grad_clip=None)  # the release does not clip
