"""The real model at its smallest, as a section of a config, for all tests that need no other."""

SHALLOW = {"depth": 3, "out_blocks": (0, 1, 2), "reset_blocks": ()}
AS_DEEP_AS_THE_PUBLISHED = {"depth": 12}


def small_model(channels=16, num_slots=6, vit=SHALLOW, **postprocess):
    """Return the parts of a model of three classes; `vit`, `postprocess`: further arguments of these parts."""
    return {
        "backbone": {"type": "ViTMAE", "embed_dim": channels, "num_heads": 2, **vit},
        "neck": {"type": "FPN", "channels": channels},
        "head": {
            "type": "SipMaskHead",
            "num_classes": 3,
            "norm_groups": channels // 4,
            "memory": {"type": "CNPMemory", "num_slots": num_slots},
        },
        "criterion": {"type": "Criterion", "assigner": {"type": "UncertaintyAssigner"}},
        "postprocess": {"type": "PostProcess", **postprocess},
    }


def small_plus_model(channels=16, vit=SHALLOW, head=None, **postprocess):
    """Return the parts of a PlusModel of three classes; `head`: further arguments of the head."""
    parts = small_model(channels, vit=vit)
    small = {"norm_groups": channels // 4, "tower_depth": 1, "embedding_channels": 8, "mask_channels": 4}
    return {
        "backbone": parts["backbone"],
        "neck": parts["neck"],
        "head": {"type": "DynamicMaskHead", "num_classes": 3, "mask_width": channels, **small, **(head or {})},
        "criterion": {"type": "AlignedCriterion", "assigner": {"type": "TaskAlignedAssigner"}},
        "postprocess": {"type": "DynamicPostProcess", **postprocess},
    }
