"""MaskTrack R-CNN on ResNet-50, YouTube-VIS 2021 and COCO's stills in equal shares: joint training, otherwise as alone.

Command  python train.py configs/joint/masktrack_rcnn_r50_yvis_coco.py --gpus 4
Weights  torchvision's ResNet-50 at the path of `pretrained`
Cost     not measured
Result   not measured
"""

_base_ = ["../baselines/masktrack_rcnn_r50_1x.py", "../_base_/datasets/coco_stills.py"]

stills = dict(
    _base_.coco_stills,
    whole_masks=True,
    max_jitter=0.0,
    transforms=[
        dict(type="IndependentCrop", fraction=(0.5, 1.0)),
        dict(type="ResizeKeepRatio", long_edge=640, short_edge=360),
        dict(type="RandomFlip", probability=0.5),
    ],
)
data = dict(train=dict(datasets=[*_base_.data.train.datasets, stills], ratios=[1, 1]))
