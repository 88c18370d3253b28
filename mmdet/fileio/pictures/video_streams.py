"""Choose the stream of a video file, read its rate and length, and make its decoder report damage."""

from __future__ import annotations

import re
from fractions import Fraction

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from mmdet.errors import UserError
from mmdet.fileio.pictures.images import MAX_PIXELS

DEFAULT_RATE = Fraction(25)  # frames per second if the file does not say
_LARGEST_RATE = 500  # some formats state the rate of their clock
_SLACK_FRAMES = 1.5  # a length may exceed that of the frames by this, because clocks are rounded
_SLACK_OF_SOUND = 0.1  # of the length, if it may be that of the sound, which lasts a little longer ...
_MOST_OF_SOUND_S = 1.0  # ... but at most by this
_PICTURES = ("mjpeg", "png", "bmp", "gif")  # formats of single pictures
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


def main_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the largest picture stream, of equals the default one. Cover pictures and single pictures do not count."""
    choice = _videos(container)
    if not choice:
        own = container.streams
        what = "a cover picture alone" if own.video else "sound alone" if own.audio else "no picture stream"
        raise UserError(f"{name} has {what}: give a video, or a folder of images")
    default = Disposition.default
    stream = max(choice, key=lambda s: (s.frames != 1, s.width * s.height, bool(s.disposition & default), -s.index))
    if stream.width * stream.height > MAX_PIXELS:
        raise UserError(f"{name} is too large: {stream.width}x{stream.height}; up to {MAX_PIXELS} pixels are read")
    return stream


def other_streams(container: InputContainer, stream: VideoStream, name: str) -> tuple[str, ...]:
    """Return a note about the other videos of the file if it holds several."""
    others = [other for other in _videos(container) if other.index != stream.index and other.frames != 1]
    if not others:
        return ()
    sizes = ", ".join(f"{other.width}x{other.height}" for other in others)
    return (f"{name} holds {len(others) + 1} videos: that of {stream.width}x{stream.height} is read, not {sizes}",)


def _videos(container: InputContainer) -> list[VideoStream]:
    """Return the picture streams without covers. A stream in a picture format beside a video counts as a cover."""
    covers = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    videos = [stream for stream in streams if not stream.disposition & covers]
    return [stream for stream in videos if stream.codec_context.name not in _PICTURES] or videos


def tell_damage(stream: VideoStream) -> None:
    """Make the decoder report damage where it would silently leave out frames or invent pixels."""
    context = stream.codec_context
    if context.name == "hevc":  # leaves out all frames up to the next key frame
        context.flags |= Flags.output_corrupt
    elif context.name == "mjpeg":  # fills lost parts with grey
        context.options = {"err_detect": "explode"}


def rate_of(stream: VideoStream) -> Fraction:
    """Return the frames per second that a stream states, DEFAULT_RATE if it states none or an impossible one."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate is not None and 0 < rate <= _LARGEST_RATE:
            return Fraction(rate)
    return DEFAULT_RATE


def length_of(container: InputContainer, stream: VideoStream, rate: Fraction) -> tuple[float | None, float]:
    """Return the length that the file states, if any, and how much earlier an undamaged video may end, in seconds."""
    slack = float(_SLACK_FRAMES / rate)
    if (clock := _CLOCK.match(stream.metadata.get("DURATION", ""))) is not None:  # Matroska states one per stream
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3]), slack
    if stream.duration is not None and stream.time_base is not None:
        length = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        length = container.duration / av.time_base
    else:
        return None, 0
    if container.streams.audio:
        slack = max(slack, min(_SLACK_OF_SOUND * length, _MOST_OF_SOUND_S))
    return length, slack
