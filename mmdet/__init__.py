"""memcnp-vis: find, segment and follow every object through a video (MemCNP-VIS and its parts)."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["DrawStyle", "Tracks", "Trails", "VideoPredictor", "__version__"]

if TYPE_CHECKING:
    from mmdet.engine.inference.predictor import VideoPredictor
    from mmdet.engine.inference.tracks import Tracks
    from mmdet.visualization.draw import DrawStyle, Trails

_HOMES = {
    "DrawStyle": "visualization.draw",
    "Tracks": "engine.inference.tracks",
    "Trails": "visualization.draw",
    "VideoPredictor": "engine.inference.predictor",
}


def __getattr__(name: str) -> Any:
    """Import a name of the Python API when it is first used: command lines start without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mmdet' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"mmdet.{_HOMES[name]}"), name)
