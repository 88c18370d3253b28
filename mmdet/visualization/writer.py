"""Write the drawn tracks of a video as a folder of JPEG frames and one mp4, frame by frame, never the whole video.

The mp4 is H.264 (yuv420p, which every player and browser knows) through PyAV, or MPEG-4 through cv2 where PyAV is
missing. Knows nothing of models, trackers, or data sets.
"""

from __future__ import annotations

import functools
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from mmdet.errors import UserError
from mmdet.fileio.drawn_jpeg import encode_drawing, is_drawing, refuse_foreign
from mmdet.ops.masks import decode_rle
from mmdet.structures import FrameTracks, Size, VideoResult
from mmdet.visualization.draw import DrawnObject, Picture, draw_objects, enlarge, track_color

try:
    import av
except ImportError:  # the extra `video` is not installed
    av = None  # type: ignore[assignment]

JPEG_QUALITY = 92
LARGEST_RATE_DENOMINATOR = 1001  # of NTSC rates such as 30000 / 1001
LONGEST_STEM = 200  # bytes; file systems take names of 255
CRF = "20"  # H.264's constant quality: 18 is visually lossless, 23 the encoder's default


def write_video(
    result: VideoResult,
    frames: Iterable[Picture],
    folder: Path,
    name: str,
    class_names: Sequence[str],
    threshold: float = 0.0,
    fps: float = 10,
    factor: int = 1,
) -> tuple[Path, Path]:
    """Draw the tracks whose score is at least `threshold`; return the folder of frames and the mp4 beside it.

    `frames` are all frames of the video, (H, W, 3) uint8 RGB at the result's size; each tag tells the id, the class
    and the frame's own score. Pictures are `factor` times the size of the frames. Raises ValueError if number or size
    of the frames differ from the result's, and UserError rather than write over what is no drawing of this program.
    """
    refuse_foreign_files(folder, name, result.num_frames)
    frame_folder, video_path = drawn_paths(folder, name)
    frame_folder.mkdir(parents=True, exist_ok=True)
    kept = replace(result, tubes=tuple(tube for tube in result.tubes if tube.score >= threshold))
    count = 0
    with open_mp4(video_path, (result.size[0] * factor, result.size[1] * factor), fps) as append:
        for frame in frames:
            if count == result.num_frames or frame.shape[:2] != result.size:
                raise ValueError(
                    f"video {name}: frame {count} of size {frame.shape[:2]} for a result of {result.num_frames} "
                    f"frames of {result.size}: give the frames that the result was made from"
                )
            picture = draw_objects(*enlarge(frame, objects_of_frame(kept, count, class_names), factor))
            _write_jpeg(_frame_path(frame_folder, count), picture)
            append(picture)
            count += 1
        if count != result.num_frames or count == 0:
            raise ValueError(f"video {name}: {count} frames for a result of {result.num_frames}: give all of them")
    for path in frame_folder.glob("[0-9]*.jpg"):  # of a longer video drawn here before
        if path.stem.isdecimal() and int(path.stem) >= count and is_drawing(path):
            path.unlink()
    return frame_folder, video_path


def drawn_paths(folder: Path, name: str) -> tuple[Path, Path]:
    """Return where write_video draws the video `name` in `folder`: a folder of frames, and the mp4 beside it."""
    stem = _file_stem(name)
    return folder / stem, folder / f"{stem}.mp4"


def refuse_foreign_files(folder: Path, name: str, num_frames: int) -> None:
    """Raise UserError if drawing the video `name` in `folder` would write over what this program did not draw."""
    frame_folder, video_path = drawn_paths(folder, name)
    frames = [_frame_path(frame_folder, index) for index in range(num_frames)]
    refuse_foreign(frames)
    # an mp4 has no mark of its own: it was written together with the first frame
    if video_path.exists() and not is_drawing(frames[0] if frames else frame_folder):
        raise UserError(f"{video_path} is not of this program and would be overwritten: choose another folder")


def _frame_path(frame_folder: Path, index: int) -> Path:
    return frame_folder / f"{index:05d}.jpg"


def objects_of_frame(result: VideoResult, frame_index: int, class_names: Sequence[str]) -> list[DrawnObject]:
    """Return what is to be drawn in one frame of a result, with tags like `3 triangle 0.87`."""
    objects = []
    for tube in result.tubes:
        rle, score, label = tube.segmentations[frame_index], tube.scores[frame_index], tube.labels[frame_index]
        if rle is None or score is None or label is None:
            continue
        objects.append(
            DrawnObject(
                mask=decode_rle(rle),
                box=tube.boxes[frame_index],
                label_text=f"{tube.track_id} {class_names[label]} {score:.2f}",
                color=track_color(tube.track_id),
            )
        )
    return objects


def objects_of_tracks(tracks: FrameTracks, class_names: Sequence[str], threshold: float = 0.0) -> list[DrawnObject]:
    """Return what is to be drawn of a frame as it comes from a stream: objects scored at least `threshold` in it."""
    rows = zip(tracks.masks, tracks.boxes, tracks.labels, tracks.scores, tracks.track_ids, strict=True)
    return [
        DrawnObject(
            mask=mask.cpu().numpy(),
            box=tuple(box.tolist()),
            label_text=f"{int(track_id)} {class_names[int(label)]} {score:.2f}",
            color=track_color(int(track_id)),
        )
        for mask, box, label, score, track_id in rows
        if score >= threshold
    ]


def open_mp4(path: Path, size: Size, fps: float) -> AbstractContextManager[Callable[[Picture], object]]:
    """Open an mp4 and yield what appends an RGB picture of `size`; odd sizes are padded by a row or a column.

    H.264 with PyAV, else MPEG-4 with cv2 and one warning a process.
    """
    if av is not None:
        return _open_h264(path, size, fps)
    _warn_of_missing_av()
    return _open_mpeg4(path, size, fps)


@contextmanager
def _open_h264(path: Path, size: Size, fps: float) -> Iterator[Callable[[Picture], object]]:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(LARGEST_RATE_DENOMINATOR))
        stream.height, stream.width = _even(size)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": CRF}

        def write(picture: Picture) -> None:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_padded_to_even(picture), format="rgb24")))

        yield write
        container.mux(stream.encode())  # what the encoder still holds


@contextmanager
def _open_mpeg4(path: Path, size: Size, fps: float) -> Iterator[Callable[[Picture], object]]:
    height, width = _even(size)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    if not writer.isOpened():
        raise UserError(f"{path} cannot be written by cv2; for H.264: pip install 'memcnp-vis[video]'")
    try:
        yield lambda picture: writer.write(cv2.cvtColor(_padded_to_even(picture), cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


@functools.cache
def _warn_of_missing_av() -> None:
    warnings.warn(
        "PyAV is not installed: mp4 files are written as MPEG-4, which browsers do not play; for H.264 install the "
        "extra `video`: pip install 'memcnp-vis[video]'",
        stacklevel=3,
    )


def _even(size: Size) -> Size:
    """Round up to even numbers: yuv420p halves both."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _padded_to_even(picture: Picture) -> Picture:
    """Repeat the last row and column of odd sizes."""
    return np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge")


def _write_jpeg(path: Path, picture: Picture) -> None:
    try:
        path.write_bytes(encode_drawing(picture, JPEG_QUALITY))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _file_stem(name: str) -> str:
    """Return a name that is safe as a file name; where it had to change, a checksum keeps names apart."""
    safe = re.sub(r"[^\w.-]+", "_", name).lstrip(".")
    safe = safe.encode()[:LONGEST_STEM].decode(errors="ignore")
    if safe and safe == name and not safe.endswith(".mp4"):  # the folder of one video must not be the mp4 of another
        return safe
    return f"{safe or 'video'}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"
