"""MaskTrack R-CNN on ResNet-50, as published (docs/BASELINES.md 3.8): YouTube-VIS 2019 or 2021, 12 epochs.

Command  python train.py configs/baselines/masktrack_rcnn_r50_1x.py --gpus 4
Weights  torchvision's ResNet-50 at `pretrained`; the release starts from a Mask R-CNN trained on COCO (--load_from),
         whose class layers do not fit and stay as they are drawn
Cost     not measured
Result   not measured
"""

_base_ = [
    "../_base_/masktrack_rcnn_r50.py",
    "../_base_/datasets/youtube_vis_2021_360.py",
    "../_base_/schedule_masktrack_rcnn.py",
    "../_base_/runtime.py",
]

# Masks are cut at the regions, and references are compared by their true boxes.
data = dict(
    train=dict(datasets=[dict(_base_.data.train.datasets[0], whole_masks=True, max_jitter=0.0)]),
)
