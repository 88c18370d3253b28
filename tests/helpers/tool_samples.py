"""A tiny sample of every labelling tool's format that tools/convert.py reads: a dog on two frames."""

import json

from published_sets import SIZE, add_frames

from mmdet.datasets.converting.conversion import ConvertRequest

HEIGHT, WIDTH = SIZE
NAMES = ("0.png", "1.png")
OUTLINES = ([2, 3, 7, 3, 7, 8, 2, 8], [4, 3, 9, 3, 9, 8, 4, 8])  # x, y, x, y, ...


def corners(outline):
    return [outline[place : place + 2] for place in range(0, 8, 2)]


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def coco(root):
    add_frames(root / "images" / "clip", NAMES)
    raw = {
        "images": [
            {"id": place, "file_name": f"clip/{name}", "height": HEIGHT, "width": WIDTH}
            for place, name in enumerate(NAMES)
        ],
        "annotations": [
            {"id": place, "image_id": place, "category_id": 1, "track_id": 4, "segmentation": [outline]}
            for place, outline in enumerate(OUTLINES)
        ],
        "categories": [{"id": 1, "name": "dog"}],
    }
    return ConvertRequest(source=write(root / "instances.json", raw), frames=root / "images")


def cvat_video(root):
    add_frames(root / "images", NAMES)
    points = [";".join(f"{x},{y}" for x, y in corners(outline)) for outline in OUTLINES]
    shapes = "".join(
        f'<polygon frame="{frame}" keyframe="1" outside="0" occluded="0" points="{text}"/>'
        for frame, text in enumerate(points)
    )
    text = (
        "<annotations><version>1.1</version><meta><task><id>3</id><name>clip</name><size>2</size>"
        "<labels><label><name>dog</name></label></labels>"
        f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size><source>clip.mp4</source></task>"
        f'</meta><track id="0" label="dog">{shapes}</track></annotations>'
    )
    return ConvertRequest(source=write(root / "annotations.xml", text), frames=root / "images")


def label_studio(root):
    add_frames(root / "images" / "clip", NAMES)
    tasks = []
    for place, (name, outline) in enumerate(zip(NAMES, OUTLINES, strict=True)):
        points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(outline)]
        common = {"id": "r", "to_name": "image"}
        sizes = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
        drawn = {"type": "polygonlabels", "value": {"points": points, "closed": True, "polygonlabels": ["dog"]}}
        number = {"type": "number", "from_name": "track_id", "value": {"number": 4}}
        results = [{**common, **sizes, "from_name": "label", **drawn}, {**common, **number}]
        done = {"id": place, "result": results, "was_cancelled": False}
        tasks.append({"id": place, "data": {"image": f"clip/{name}"}, "annotations": [done], "predictions": []})
    return ConvertRequest(source=write(root / "export.json", tasks), frames=root / "images")


def labelme(root):
    add_frames(root / "set" / "clip", NAMES)
    for name, outline in zip(NAMES, OUTLINES, strict=True):
        shape = {"label": "dog", "points": corners(outline), "group_id": 4, "shape_type": "polygon", "flags": {}}
        sizes = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
        raw = {"version": "5.5.0", "flags": {}, "shapes": [shape], "imagePath": name, "imageData": None, **sizes}
        write((root / "set" / "clip" / name).with_suffix(".json"), raw)
    return ConvertRequest(source=root / "set")


def supervisely(root):
    add_frames(root / "frames" / "clip", NAMES)
    write(root / "project" / "meta.json", {"classes": [{"title": "dog", "shape": "polygon"}]})
    frames = [
        {
            "index": place,
            "figures": [
                {
                    "key": f"f{place}",
                    "objectKey": "a",
                    "geometryType": "polygon",
                    "geometry": {"points": {"exterior": corners(outline), "interior": []}},
                }
            ],
        }
        for place, outline in enumerate(OUTLINES)
    ]
    raw = {
        "size": {"height": HEIGHT, "width": WIDTH},
        "framesCount": 2,
        "objects": [{"key": "a", "classTitle": "dog", "tags": []}],
        "frames": frames,
    }
    write(root / "project" / "ds" / "ann" / "clip.mp4.json", raw)
    return ConvertRequest(source=root / "project", frames=root / "frames")


def yolo_seg(root):
    add_frames(root / "images" / "train" / "clip", NAMES)
    for name, outline in zip(NAMES, OUTLINES, strict=True):
        parts = " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in corners(outline))
        write((root / "labels" / "train" / "clip" / name).with_suffix(".txt"), f"0 {parts} 4\n")
    write(root / "data.yaml", "path: .\ntrain: images/train\nnames: [dog]\n")
    return ConvertRequest(source=root)


TOOL_SAMPLES = {
    "coco": coco,
    "cvat-video": cvat_video,
    "label-studio": label_studio,
    "labelme": labelme,
    "supervisely": supervisely,
    "yolo-seg": yolo_seg,
}
