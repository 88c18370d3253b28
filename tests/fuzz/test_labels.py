"""Exports of labelling tools: converted or refused."""

import pytest
from hostile import damaged, damages, documents, hostile, refused_or_read, to_json
from hypothesis import given
from made_labels import SIZE, write_images

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.running import convert
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import load_vis_json

HEIGHT, WIDTH = SIZE
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGP8z8DEwAAABQ0BA7hKXG8AAAAASUVORK5CYII="
ZIPPED = "eJzrDPBz5+WS4mJgYOD19HAJAtJMIMwBJBjC7wb9AFJ8ni6OIRVzkv+cP3DkAAMDKy8j8w6vmHyQCk9XP5d1TglNAP5cEPM="
POINTS = [[4, 3], [12, 3], [12, 11]]
SHAPES = [
    {"label": "dog", "points": POINTS, "group_id": 1, "shape_type": "polygon", "flags": {"id 1": True}},
    {"label": "dog", "points": POINTS[:2], "group_id": None, "shape_type": "circle", "description": "track 2"},
    {"label": "cat", "points": POINTS[:2], "shape_type": "mask", "mask": PNG, "flags": {}},
    {"label": "cat", "points": POINTS[:2], "shape_type": "rectangle"},
]
LABELME = {"shapes": SHAPES, "imagePath": "0.png", "imageHeight": HEIGHT, "imageWidth": WIDTH, "imageData": None}
BRUSH = [0, 0, 12, 0, 57, 27, 255, 11, 255, 255]
DRAWN = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"image": "/data/upload/1/1a2b3c4d-0.png"},
        "annotations": [
            {
                "was_cancelled": False,
                "updated_at": "2026-01-01",
                "result": [
                    {"id": "a", "type": "brushlabels", "value": {"rle": BRUSH, "brushlabels": ["dog"]}, **DRAWN},
                    {
                        "id": "b",
                        "type": "polygonlabels",
                        "value": {"points": POINTS, "polygonlabels": ["dog"]},
                        **DRAWN,
                    },
                    {"id": "b", "type": "number", "value": {"number": 7}},
                    {
                        "id": "c",
                        "type": "ellipse",
                        "value": {"x": 1, "y": 2, "radiusX": 3, "radiusY": 4, "labels": ["cat"]},
                        "meta": {"text": ["7"]},
                    },
                ],
            }
        ],
    }
]
BOXES = [
    {
        "id": 1,
        "data": {"video": "clip.mp4"},
        "annotations": [
            {
                "result": [
                    {
                        "id": "a",
                        "type": "videorectangle",
                        "value": {
                            "framesCount": 3,
                            "labels": ["dog"],
                            "sequence": [
                                {
                                    "frame": frame,
                                    "x": 1,
                                    "y": 2,
                                    "width": 30,
                                    "height": 40,
                                    "enabled": True,
                                    "rotation": 5,
                                }
                                for frame in (1, 3)
                            ],
                        },
                    }
                ]
            }
        ],
    }
]
SUPERVISELY = {
    "size": {"height": HEIGHT, "width": WIDTH},
    "framesCount": 3,
    "tags": [],
    "objects": [{"key": "a", "classTitle": "dog", "tags": []}],
    "frames": [
        {
            "index": index,
            "figures": [
                {
                    "objectKey": "a",
                    "geometryType": "polygon",
                    "geometry": {"points": {"exterior": POINTS, "interior": [POINTS]}},
                },
                {
                    "objectKey": "a",
                    "geometryType": "bitmap",
                    "geometry": {"bitmap": {"data": ZIPPED, "origin": [1, 2]}},
                },
                {"objectKey": "a", "geometryType": "rectangle", "geometry": {"points": {"exterior": POINTS[:2]}}},
            ],
        }
        for index in (0, 2)
    ],
}
CVAT = f"""<annotations><meta><task><id>1</id><name>clip</name><size>3</size><start_frame>0</start_frame>
<stop_frame>2</stop_frame><frame_filter>step=1</frame_filter><labels><label><name>dog</name></label></labels>
<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size></task></meta>
<track id="0" label="dog"><polygon frame="0" keyframe="1" outside="0" occluded="0" points="4,3;12,3;12,11"/>
<polygon frame="2" keyframe="1" outside="0" occluded="0" points="4,3;12,3;12,11"/></track>
<track id="1" label="dog"><mask frame="0" outside="0" rle="1, 2, 2, 1" left="5" top="7" width="3" height="2"/>
<box frame="1" outside="0" xtl="1" ytl="2" xbr="5" ybr="6" rotation="10"/>
<ellipse frame="2" outside="0" cx="9" cy="9" rx="3" ry="4"/></track></annotations>""".encode()
YOLO = b"0 0.1 0.2 0.5 0.2 0.5 0.6 7\n1 0.5 0.5 0.2 0.2\n1 0.1 0.2 0.5 0.2 0.5 0.6 0.75 8\n"


@pytest.fixture(scope="module")
def convert_here(folder):
    """Convert a source below a folder with frames; the result loads, or the refusal is one line."""
    frames = write_images(folder / "frames" / "clip", ["0.png", "1.png", "2.png"]).parent

    def run(name, source, **options):
        request = ConvertRequest(source=source, boxes_as_masks=True, **{"frames": frames, **options})
        conversion = refused_or_read(lambda: convert(name, request, folder / "out.json"), UserError)
        if conversion is not None:
            assert len(load_vis_json(folder / "out.json").tracks) == len(conversion.data.tracks) > 0

    return run


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@hostile(5)
@given(documents(LABELME), damages)
def test_labelme(convert_here, folder, document, damage):
    path = write(folder / "labelme" / "clip" / "0.json", damaged(to_json(document), damage))
    convert_here("labelme", path.parent.parent)


@hostile(5)
@given(documents(LABEL_STUDIO), damages)
def test_regions_of_label_studio(convert_here, folder, document, damage):
    path = write(folder / "label_studio.json", damaged(to_json(document), damage))
    convert_here("label-studio", path)


@hostile(5)
@given(documents(BOXES), damages)
def test_boxes_of_label_studio(convert_here, folder, document, damage):
    path = write(folder / "boxes.json", damaged(to_json(document), damage))
    convert_here("label-studio", path)


@hostile(5)
@given(documents(SUPERVISELY), damages)
def test_supervisely(convert_here, folder, document, damage):
    path = write(folder / "supervisely" / "ds" / "ann" / "clip.mp4.json", damaged(to_json(document), damage))
    convert_here("supervisely", path.parents[2])


@hostile(5)
@given(damages)
def test_cvat_video(convert_here, folder, damage):
    convert_here("cvat-video", write(folder / "cvat" / "annotations.xml", damaged(CVAT, damage)))


@hostile(5)
@given(damages)
def test_yolo_seg(convert_here, folder, damage):
    write_images(folder / "yolo" / "images", ["0.png"])
    write(folder / "yolo" / "data.yaml", b"train: images\nnames: [dog, cat]")
    write(folder / "yolo" / "labels" / "0.txt", damaged(YOLO, damage))
    convert_here("yolo-seg", folder / "yolo", frames=None)
