"""cocopaste_lite0 with temporal feature calibration: the same recipe and data with one more neck stage.

The stage adds features of another frame of the video to each frame's finest map (docs/temporal_calibration.md).
Command  python train.py configs/baselines/cocopaste_lite0_calibrated.py
Weights  timm's tf_efficientnet_lite0 at the path of `pretrained`
Result   AP 0.154 after half the steps, 0.165 without the calibration (means of three seeds); docs/results.md
"""

_base_ = ["cocopaste_lite0.py"]

model = dict(temporal_neck=dict(type="TemporalCalibration", levels=[0], patch_size=16, dilation_patch=2))
