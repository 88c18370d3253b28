"""Write the drawn tracks of a video as a folder of JPEG frames and one mp4, frame by frame."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing, is_drawing, refuse_foreign
from mmdet.structures import VideoResult
from mmdet.visualization.draw import PLAIN, DrawStyle, Picture, draw_objects, enlarge
from mmdet.visualization.mp4 import open_mp4
from mmdet.visualization.objects import objects_of_frame

JPEG_QUALITY = 92
LONGEST_STEM = 200  # bytes; file systems take names of 255


def write_video(
    result: VideoResult,
    frames: Iterable[Picture],
    folder: Path,
    name: str,
    class_names: Sequence[str],
    threshold: float = 0.0,
    fps: float = 10,
    factor: int = 1,
    style: DrawStyle = PLAIN,
) -> tuple[Path, Path]:
    """Draw the tracks with a score of at least `threshold`. Return the folder of frames and the mp4 beside it.

    Each tag gives the id, the class and the score of a track.

    `result`, `class_names`: the tracks of the video, and the classes by label
    `frames`: all frames of the video, (H, W, 3) uint8 RGB at the result's size
    `folder`, `name`: where to write, and the video's name in it, see `drawn_paths`
    `fps`: frames per second of the mp4
    `factor`: pictures are so many times the size of the frames
    `style`: what is drawn of the tracks
    Raises ValueError if the number or size of the frames differs from the result's, and UserError if a file that this
    program did not draw would be replaced.
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
            picture = draw_objects(*enlarge(frame, objects_of_frame(kept, count, class_names, style), factor), style)
            _write_jpeg(_frame_path(frame_folder, count), picture)
            append(picture)
            count += 1
        if count != result.num_frames or count == 0:
            raise ValueError(f"video {name}: {count} frames for a result of {result.num_frames}: give all of them")
    for path in frame_folder.glob("[0-9]*.jpg"):  # left from a longer video that was drawn here before
        if path.stem.isdecimal() and int(path.stem) >= count and is_drawing(path):
            path.unlink()
    return frame_folder, video_path


def drawn_paths(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the folder of frames and the mp4 that write_video makes for the video `name` in `folder`."""
    stem = _file_stem(name)
    return folder / stem, folder / f"{stem}.mp4"


def refuse_foreign_files(folder: Path, name: str, num_frames: int) -> None:
    """Raise UserError if drawing the video `name` in `folder` would replace a file that this program did not draw."""
    frame_folder, video_path = drawn_paths(folder, name)
    frames = [_frame_path(frame_folder, index) for index in range(num_frames)]
    refuse_foreign(frames)
    # an mp4 has no mark; it belongs to this program if the first frame does
    if video_path.exists() and not is_drawing(frames[0] if frames else frame_folder):
        raise UserError(f"{video_path} is not of this program and would be overwritten: choose another folder")


def _frame_path(frame_folder: Path, index: int) -> Path:
    return frame_folder / f"{index:05d}.jpg"


def _write_jpeg(path: Path, picture: Picture) -> None:
    try:
        path.write_bytes(encode_drawing(picture, JPEG_QUALITY))
    except OSError as error:
        with suppress(OSError):
            path.unlink()  # an incomplete file has no mark
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _file_stem(name: str) -> str:
    """Return a safe file name. If the name had to change, a checksum keeps different names apart."""
    safe = re.sub(r"[^\w.-]+", "_", name).lstrip(".")
    safe = safe.encode()[:LONGEST_STEM].decode(errors="ignore")
    if safe and safe == name and not safe.endswith(".mp4"):  # no folder may have the name of another's mp4
        return safe
    return f"{safe or 'video'}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"


def picture_names(videos: Sequence[VideoInfo]) -> dict[int, str]:
    """Return a name for every video id: the folder of its frames, or `video_ID` if it shares its folder."""
    folders = {video.video_id: Path(video.file_names[0]).parent for video in videos}
    owners = Counter(folders.values())
    return {
        number: str(folder) if folder.name and owners[folder] == 1 else f"video_{number}"
        for number, folder in folders.items()
    }
