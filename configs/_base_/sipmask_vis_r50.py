"""SipMask-VIS on the caffe-style ResNet-50, as published: images in blue, green, red, only their mean subtracted."""

_base_ = ["sipmask_vis.py"]

model = dict(
    backbone=dict(type="ResNet50", style="caffe", pretrained="data/weights/resnet50_caffe.pth"),
    channel_order="bgr",
    pixel_mean=(102.9801, 115.9465, 122.7717),
    pixel_std=(1.0, 1.0, 1.0),
)
