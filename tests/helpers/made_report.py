"""A made-up report: videos in which discs move, with every kind of error; one model or two, with truth or without."""

import base64
import math

import cv2
import numpy as np

from mmdet.report.document import (
    ClassFigures,
    Confusion,
    Curve,
    ErrorEvent,
    Figure,
    Model,
    Report,
    ThresholdCurve,
    Track,
    Video,
    VideoOfModel,
    Waterfall,
)

CLASSES = ("ring", "star", "cross")
COLORS = ("#e6550d", "#3182bd", "#31a354", "#756bb1", "#e7ba52", "#d6616b")
SIZE = (96, 160)
FRAMES = 12
RADIUS = 14


def center(track, frame, size=SIZE):
    """Where a disc is: each has a row of its own and crosses the picture."""
    height, width = size
    share = (frame + 3 * track) % 24 / 24
    return RADIUS + share * (width - 2 * RADIUS), (track + 0.5) * height / 3


def polygon(x, y, radius=RADIUS):
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    return [int(value) for value in points.round().reshape(-1)]


def ring(x, y):
    """A disc with a hole, as two polygons."""
    return [polygon(x, y), polygon(x, y, RADIUS / 2)]


def picture(video, frame, size=SIZE, quality=80):
    """A picture of the discs on a ground of its own as a data address."""
    canvas = np.full((*size, 3), (90 + 20 * (video % 5), 100, 130 - 10 * (video % 7)), np.uint8)
    for track in range(3):
        x, y = center(track, frame, size)
        cv2.circle(canvas, (round(x), round(y)), RADIUS, (60, 60 + 60 * track, 200 - 60 * track), -1)
    _, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def track(track_id, row, frames, class_name, score=None, shift=0.0, second=None):
    places = [center(row, frame) for frame in frames]
    return Track(
        track_id=track_id,
        class_name=class_name,
        color=COLORS[track_id % len(COLORS)],
        score=score,
        frames=list(frames),
        polygons=[ring(x + shift, y) for x, y in places],
        second=second,
    )


def truth_of(names):
    return [track(row + 1, row, range(FRAMES), name) for row, name in enumerate(names)]


def prediction_of(names, video, shift):
    """Tracks with a gap, an id that changes, a wrong class and a false object, and what is wrong with them."""
    tracks = [
        track(0, 0, [*range(3), *range(6, FRAMES)], names[0], 0.91, shift),
        track(1, 1, range(7), names[1], 0.83, shift),
        track(7, 1, range(7, FRAMES), names[1], 0.64, shift),
        track(3, 2, range(FRAMES), names[0], 0.55, shift),
        track(4, 0, range(2, 5), names[2], 0.42, 40, second=(names[0], 0.314)),
    ]
    weight = 0.01 * (video + 1)
    events = [
        event("missed", 3, 5, 0, None, weight, f"{names[0]} 1 is missed"),
        event("switched", 7, 7, 1, 2, weight * 0.5, f"{names[1]} 2 becomes track 7"),
        event("wrong_class", 0, FRAMES - 1, 2, 3, weight * 1.5, f"{names[2]} 3 is taken for {names[0]}"),
        event("false", 2, 4, None, 4, weight * 0.7, f"track 4 ({names[2]}) is false"),
    ]
    return tracks, events


def event(kind, first, last, truth, prediction, weight, text):
    return ErrorEvent(
        kind=kind, first_frame=first, last_frame=last, truth=truth, prediction=prediction, weight=weight, text=text
    )


def video_of_model(names, video, shift, truth):
    tracks, events = prediction_of(names, video, shift)
    if not truth:
        return VideoOfModel(figures={}, tracks=tracks)
    ap = (video * 37 + 11 + round(10 * shift)) % 100 / 100
    figures = {
        "AP": None if video == 2 else ap,
        "HOTA": 0.3 + ap / 2,
        "switches": 1 + video % 3,
        "missed": 3,
        "false": 3,
    }
    return VideoOfModel(figures=figures, tracks=tracks, events=events)


def make_video(index, *, models=1, truth=True, names=CLASSES, pictures=None):
    return Video(
        name=f"video_{index}",
        size=(2 * SIZE[0], 2 * SIZE[1]),
        shown_size=SIZE,
        num_frames=FRAMES,
        fps=12.0,
        pictures=pictures or [picture(index, frame) for frame in range(FRAMES)],
        truth=truth_of(names) if truth else None,
        models=[video_of_model(names, index, 2.0 * model, truth) for model in range(models)],
    )


def training_curves():
    steps = list(range(0, 1000, 10))
    return [
        Curve(group="losses", name="loss_cls", x=steps, y=[1.2 * math.exp(-s / 400) for s in steps]),
        Curve(group="losses", name="loss_mask", x=steps, y=[0.8 * math.exp(-s / 600) for s in steps]),
        Curve(group="learning rate", name="lr", x=steps, y=[0.01 * min(1, (s + 10) / 200) for s in steps]),
        Curve(group="validation", name="AP", x=[300, 600, 900], y=[0.1, None, 0.3], x_label="step"),
    ]


def threshold_curve():
    thresholds = [index / 50 for index in range(50)]
    recall = [0.9 * (1 - t**2) for t in thresholds]
    precision = [0.35 + 0.6 * t for t in thresholds]
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    best = thresholds[f1.index(max(f1))]
    tracks = [round(120 * (1 - t)) for t in thresholds]
    return ThresholdCurve(
        thresholds=thresholds, precision=precision, recall=recall, f1=f1, tracks=tracks, suggested=best
    )


def class_figures(names, lift):
    return [
        ClassFigures(
            name=name,
            color=COLORS[index],
            ap=0.2 + 0.1 * index + lift,
            ap50=0.5 + 0.1 * index,
            ap75=0.2,
            ar=0.4,
            objects=12 + index,
            found=8,
            as_other=2,
            missed=2 + index,
            false=5,
        )
        for index, name in enumerate(names)
    ]


def precision_recall():
    recall = [index / 100 for index in range(101)]
    return [
        Curve(group="all classes", name=f"IoU {iou}", x=recall, y=[max(0.0, 1 - (r / top) ** 3) for r in recall])
        for iou, top in ((0.5, 0.9), (0.75, 0.5))
    ]


def quality(names, lift):
    """All that is only known with a truth, as arguments of Model."""
    headline = [("AP", 31.2), ("AP50", 54.0), ("AP75", 30.1), ("AR10", 41.9), ("HOTA", 48.7), ("IDF1", 55.5)]
    return {
        "headline": [Figure(name=name, value=value + 100 * lift, unit="%") for name, value in headline]
        + [
            Figure(name="switches", value=17, note="ids that change"),
            Figure(name="speed", value=23.4, unit="frames/s"),
        ],
        "classes": class_figures(names, lift),
        "precision_recall": precision_recall(),
        "thresholds": threshold_curve(),
        "confusion": Confusion(names=names, counts=[[8, 1, 1, 2], [0, 8, 2, 3], [3, 0, 8, 3], [2, 1, 2, 0]]),
        "occlusion": [
            Figure(name=name, value=value, unit="%")
            for name, value in (("none", 41.0), ("slight", 28.0), ("heavy", 9.5))
        ],
        "waterfall": Waterfall(
            ap=0.312 + lift, gains={"classes": 0.09, "tracking": 0.14, "masks": 0.11, "all": 0.45}, remaining=0.238
        ),
    }


def make_model(name="demo", *, names=CLASSES, truth=True, training=True, lift=0.0):
    return Model(
        name=name,
        about=[
            ("config", "configs/demo/memcnp_demo.py"),
            ("checkpoint", "workdir/demo/step_1350.pth"),
            ("version", "1.0"),
        ],
        commands=["python test_video.py configs/demo/memcnp_demo.py workdir/demo/step_1350.pth --eval segm --report"],
        threshold=0.4,
        threshold_note="the best F1 at validation",
        training=training_curves() if training else (),
        **(quality(names, lift) if truth else {}),
    )


def make_report(
    *, videos=4, models=1, truth=True, training=True, names=CLASSES, title="MemCNP on made-up videos", **changes
):
    contents = {
        "title": title,
        "made": "27 November 2026, memcnp-vis 1.0",
        "models": [
            make_model(f"model {index}", names=names, truth=truth, training=training, lift=0.03 * index)
            for index in range(models)
        ],
        "videos": [make_video(index, models=models, truth=truth, names=names) for index in range(videos)],
    }
    return Report(**(contents | changes))
