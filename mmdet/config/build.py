"""Building registered parts from a config, with mistakes reported in the user's terms."""

from __future__ import annotations

from typing import Any

from mmengine.registry import Registry

from mmdet.errors import UserError


def build_part(registry: Registry, part: dict[str, Any], where: str) -> Any:
    """Build a part; a missing or unfitting argument is a UserError that names the config key."""
    try:
        return registry.build(part)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{where}: {part.get('type')} cannot be built: {error}") from error
