"""MaskTrack R-CNN on ResNet-50, the published recipe on OVIS: 25 classes, up to 20 objects per frame.

Command  python train.py configs/baselines/masktrack_rcnn_r50_1x_ovis.py --gpus 4
Weights  torchvision's ResNet-50 at `pretrained`; the release starts from a Mask R-CNN trained on COCO (--load_from)
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/masktrack_rcnn_r50.py",
    "../_base_/datasets/ovis_360.py",
    "../_base_/schedule_masktrack_rcnn.py",
    "../_base_/runtime.py",
]

model = dict(head=dict(num_classes=25), postprocess=dict(max_per_image=20))
# Masks are cut at the regions, and references are compared by their true boxes.
data = dict(
    train=dict(datasets=[dict(_base_.data.train.datasets[0], whole_masks=True, max_jitter=0.0)]),
)
