"""Annotations, COCO annotations and results as they should be, which tests then damage."""

RLE = {"size": [2, 3], "counts": "132"}
POLYGONS = [[0, 0, 2, 0, 2, 2]]
TRUTH = {
    "videos": [
        {"id": 1, "width": 3, "height": 2, "length": 2, "file_names": ["a/0.jpg", "a/1.jpg"]},
        {"id": 5, "width": 4, "height": 2, "length": 1, "file_names": ["b/0.jpg"]},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}],
    "annotations": [
        {
            "id": 1, "video_id": 1, "category_id": 7, "iscrowd": 0, "bboxes": [[0, 0, 2, 2], None],
            "segmentations": [RLE, None], "areas": [3, None], "occlusion": ["no_occlusion", None],
        },
        {
            "id": 2, "video_id": 5, "category_id": 1, "bboxes": [[1, 0, 2.5, 1]], "segmentations": [POLYGONS],
            "areas": [None], "occlusion": ["severe_occlusion"],
        },
    ],
}  # fmt: skip
COCO = {
    "images": [
        {"id": 1, "width": 4, "height": 3, "file_name": "a/1.jpg", "video_id": 7, "frame_id": 0},
        {"id": 2, "width": 4, "height": 3, "file_name": "a/2.jpg", "video_id": 7, "frame_id": 1},
    ],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [
        {"id": n, "image_id": image, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": [[0, 0, 2, 0, 2, 2]],
         "area": 3, "iscrowd": 0, "track_id": 5, "attributes": {"track_id": 5}}
        for n, image in ((1, 1), (2, 2), (3, 2))
    ],
}  # fmt: skip
RESULTS = [
    {"video_id": 1, "category_id": 7, "score": 0.5, "segmentations": [RLE, None], "bboxes": [[0, 0, 2, 2], None]},
    {"video_id": 5, "category_id": 1, "score": 1, "segmentations": [{"size": [2, 4], "counts": [3, 5]}]},
    {"video_id": 5, "category_id": 1, "score": 1, "segmentations": [None], "detections": [[0, 0, 2, 1]]},
]  # fmt: skip
