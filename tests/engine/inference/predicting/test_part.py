"""The part of a result that was written before an error."""

from mmdet.engine.inference.predicting.part import first_frames
from mmdet.structures import PerFrame, TrackTube, VideoResult

RLE = {"size": [2, 2], "counts": "04"}


def tube(track_id, frames):
    return TrackTube(
        track_id=track_id,
        segmentations=PerFrame(4, frames, (RLE,) * len(frames)),
        boxes=PerFrame(4, frames, ((0.0, 0.0, 1.0, 1.0),) * len(frames)),
        labels=PerFrame(4, frames, (1,) * len(frames)),
        scores=PerFrame(4, frames, (0.5,) * len(frames)),
        classes=((1, 0.5), (0, 0.25)),
    )


def test_tracks_of_the_first_frames_keep_their_classes():
    tubes = (tube(3, (0, 2, 3)), tube(5, (3,)))
    result = VideoResult(video_id=1, size=(2, 2), num_frames=4, tubes=tubes)
    cut = first_frames(result, 3)
    (kept,) = cut.tubes
    assert (cut.num_frames, kept.track_id, kept.scores) == (3, 3, (0.5, None, 0.5))
    assert kept.classes == ((1, 0.5), (0, 0.25))
    assert first_frames(result, 4) is result
