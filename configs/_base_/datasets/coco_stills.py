"""COCO's stills as training clips beside YouTube-VIS 2021, for joint training: a variable, which configs mix in.

Its classes are 21 of the 40. docs/data.md says what becomes what.
Make it  python tools/convert.py coco data/COCO/annotations/instances_train2017.json data/COCO/coco_as_2021.json
             --frames data/COCO/train2017 --stills --to youtube_vis_2021
"""

# Two windows of a picture are a pair. They are cut before the picture is resized: what is enlarged has its full detail.
coco_stills = dict(
    type="VISDataset",
    ann_file="data/COCO/coco_as_2021.json",
    img_prefix="data/COCO/train2017",
    transforms=[
        dict(type="IndependentCrop", fraction=(0.5, 1.0)),
        dict(type="ResizeKeepRatio", long_edge=(640, 960), short_edge=(360, 480)),
        dict(type="RandomFlip", probability=0.5),
    ],
)
