"""FCOS on ResNet-50, its recipe on the frames of OVIS, 25 classes: boxes to compare others' with.

Command  python train.py configs/baselines/fcos_r50_1x_ovis.py --gpus 4
Weights  a caffe-style ResNet-50 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/fcos_r50.py",
    "../_base_/datasets/ovis_360.py",
    "../_base_/schedule_fcos.py",
    "../_base_/runtime.py",
]

model = dict(head=dict(num_classes=25))
data = dict(train=dict(batch_size=4))
runtime = dict(grad_clip=None)  # the release does not clip
