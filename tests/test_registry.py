"""Registries: kinds of one registry share its names, and a kind registers, finds and builds its own parts alone."""

import pytest

from mmdet import registry
from mmdet.config.build import build_part
from mmdet.errors import UserError


@pytest.fixture
def backbone(monkeypatch):
    """A class registered as a backbone; forgotten afterwards."""
    for table in (registry.BACKBONES.registry.module_dict, registry.BACKBONES.kinds):
        monkeypatch.setitem(table, "Mine", None)
        monkeypatch.delitem(table, "Mine")

    @registry.BACKBONES.register_module()
    class Mine:
        def __init__(self, depth):
            self.depth = depth

    return Mine


def test_a_registered_class_is_built_by_its_name(backbone):
    built = registry.BACKBONES.build({"type": "Mine", "depth": 3})
    assert type(built) is backbone
    assert built.depth == 3


def test_a_part_is_seen_in_its_own_kind_alone(backbone):
    assert [kind.name for kind in registry.KINDS if "Mine" in kind.module_dict] == ["backbone"]


def test_a_part_of_another_kind_is_not_built(backbone):
    with pytest.raises(UserError, match=r"^config.model.neck: Mine cannot be built: there is no neck 'Mine'; known: "):
        build_part(registry.NECKS, {"type": "Mine", "depth": 3}, "config.model.neck")


def test_a_name_stands_once_for_all_kinds_of_a_registry(backbone):
    with pytest.raises(KeyError, match="Mine is already registered in models"):
        registry.NECKS.register_module(name="Mine", module=dict)
    registry.NECKS.register_module(name="Mine", force=True, module=dict)
    assert "Mine" in registry.NECKS.module_dict
    assert "Mine" not in registry.BACKBONES.module_dict


def test_there_are_six_registries():
    assert len({id(kind.registry) for kind in registry.KINDS}) == 6
