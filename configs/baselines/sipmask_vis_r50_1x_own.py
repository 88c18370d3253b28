"""SipMask-VIS on ResNet-50, the published recipe on your own data.

Command  python train.py configs/baselines/sipmask_vis_r50_1x_own.py --gpus 4
Weights  a caffe-style ResNet-50 at `pretrained`; the release starts from a SipMask trained on COCO (--load_from)
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/sipmask_vis_r50.py",
    "../_base_/datasets/own_360.py",
    "../_base_/schedule_sipmask_vis.py",
    "../_base_/runtime.py",
]

# The number of your categories stands here alone; their names come from the json.
# `max_per_image`: at least the number of objects in the most crowded frame.
model = dict(head=dict(num_classes=3), postprocess=dict(max_per_image=10))
runtime = dict(grad_clip=None)  # the release does not clip
