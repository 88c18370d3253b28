"""FCOS on ResNet-50, its recipe on the frames of your own data: boxes to compare others' with.

Command  python train.py configs/baselines/fcos_r50_1x_own.py --gpus 4
Weights  a caffe-style ResNet-50 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/fcos_r50.py",
    "../_base_/datasets/own_360.py",
    "../_base_/schedule_fcos.py",
    "../_base_/runtime.py",
]

# The number of your categories stands here alone; their names come from the json.
model = dict(head=dict(num_classes=3))
data = dict(train=dict(batch_size=4))
runtime = dict(grad_clip=None)  # the release does not clip
