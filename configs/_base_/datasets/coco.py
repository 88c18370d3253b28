"""COCO 2017, 80 classes, every still a video of one frame; at the size of detectors.

Make it  python tools/convert.py coco data/COCO/annotations/instances_train2017.json data/COCO/stills_train.json
             --frames data/COCO/train2017 --stills
         python tools/convert.py coco data/COCO/annotations/instances_val2017.json data/COCO/stills_val.json
             --frames data/COCO/val2017 --stills --keep-empty
"""

data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file="data/COCO/stills_train.json",
                img_prefix="data/COCO/train2017",
                transforms=[
                    dict(type="ResizeKeepRatio", long_edge=1333, short_edge=800),
                    dict(type="RandomFlip", probability=0.5),
                ],
            )
        ],
        batch_size=4,
        workers=4,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file="data/COCO/stills_val.json",
            img_prefix="data/COCO/val2017",
            transforms=[dict(type="ResizeKeepRatio", long_edge=1333, short_edge=800)],
        ),
        chunk_size=1,
        workers=4,
    ),
)
