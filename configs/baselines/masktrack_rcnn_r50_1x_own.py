"""MaskTrack R-CNN on ResNet-50, the published recipe on your own data.

Command  python train.py configs/baselines/masktrack_rcnn_r50_1x_own.py --gpus 4
Weights  torchvision's ResNet-50 at `pretrained`; the release starts from a Mask R-CNN trained on COCO (--load_from)
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/masktrack_rcnn_r50.py",
    "../_base_/datasets/own_360.py",
    "../_base_/schedule_masktrack_rcnn.py",
    "../_base_/runtime.py",
]

# The number of your categories stands here alone; their names come from the json.
# `max_per_image`: at least the number of objects in the most crowded frame.
model = dict(head=dict(num_classes=3), postprocess=dict(max_per_image=10))
# Masks are cut at the regions, and references are compared by their true boxes.
data = dict(
    train=dict(datasets=[dict(_base_.data.train.datasets[0], whole_masks=True, max_jitter=0.0)]),
)
