"""SipMask-VIS on ResNet-50, the published recipe on OVIS: 25 classes, up to 20 objects per frame.

Command  python train.py configs/baselines/sipmask_vis_r50_1x_ovis.py --gpus 4
Weights  a caffe-style ResNet-50 at `pretrained`; the release starts from a SipMask trained on COCO (--load_from)
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/sipmask_vis_r50.py",
    "../_base_/datasets/ovis_360.py",
    "../_base_/schedule_sipmask_vis.py",
    "../_base_/runtime.py",
]

model = dict(head=dict(num_classes=25), postprocess=dict(max_per_image=20))
runtime = dict(grad_clip=None)  # the release does not clip
