"""Building registered parts from a config, with mistakes reported in the user's terms."""

from __future__ import annotations

from typing import Any

from mmdet.errors import UserError
from mmdet.registry import Kind


def build_part(kind: Kind, part: dict[str, Any], where: str) -> Any:
    """Build a part; a missing or unfitting argument is a UserError that names the config key."""
    try:
        return kind.build(part)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{where}: {part.get('type')} cannot be built: {error}") from error
