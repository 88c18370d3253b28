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


def small_two_stage_model(channels=16, width=16, **postprocess):
    """Return the parts of a TwoStageModel of three classes."""
    options = {"channels": (8, 16, 16, 32), "stem_width": 8}
    strides = (4, 8, 16, 32)
    return {
        "backbone": {"type": "TimmBackbone", "name": "resnet10t", "options": options, "out_strides": strides},
        "neck": {"type": "FPN", "channels": channels, "extra": "pool"},
        "rpn": {"type": "RPNHead", "num_per_level": 40, "num_proposals": 30},
        "head": {"type": "RoIHeads", "num_classes": 3, "width": width},
        "criterion": {
            "type": "TwoStageCriterion",
            "anchor_sampler": {"type": "RandomSampler", "num": 16, "positive_fraction": 0.5},
            "region_sampler": {"type": "RandomSampler", "num": 24, "positive_fraction": 0.25},
        },
        "postprocess": {"type": "TwoStagePostProcess", **postprocess},
    }


def small_fcos_model(channels=16, vit=SHALLOW, **postprocess):
    """Return the parts of an FCOS of three classes, which has no memory and draws no masks."""
    parts = small_model(channels, vit=vit)
    return {
        "backbone": parts["backbone"],
        "neck": {"type": "FPN", "channels": channels, "extra": "two"},
        "head": {"type": "FCOSHead", "num_classes": 3, "norm_groups": channels // 4, "tower_depth": 1},
        "criterion": {"type": "DenseCriterion", "assigner": {"type": "RangeAssigner"}},
        "postprocess": {"type": "DensePostProcess", **postprocess},
    }
