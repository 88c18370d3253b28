"""Build registered parts from a config; mistakes are reported with the config key."""

from __future__ import annotations

from typing import Any

from mmdet.errors import UserError
from mmdet.registry import PartKind


def build_part(kind: PartKind, part: dict[str, Any], where: str) -> Any:
    """Build a part. Raises UserError that names the config key for a missing or unsuitable argument."""
    try:
        return kind.build(part)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{where}: {part.get('type')} cannot be built: {error}") from error
