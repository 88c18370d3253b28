"""Names of the same classes in YouTube-VIS 2019, 2021, OVIS and COCO, and classes that are a part of another.

Sources: the sets' annotation files; the class lists of joint training with COCO, which take cars for sedans.
"""

from __future__ import annotations

SAME = (
    ("airplane", "aeroplane", "plane"),
    ("motorbike", "motorcycle"),
    ("bicycle", "bike"),
    ("sedan", "car"),
    ("vehical", "vehicle"),
    ("flying_disc", "frisbee"),
    ("tennis_racket", "tennis_racquet"),
    ("giant_panda", "panda"),
    ("earless_seal", "seal"),
    ("person", "human"),
)

# every object of the first class is one of the second; not the other way
PART_OF = (
    *(("car", "vehicle"), ("sedan", "vehicle"), ("truck", "vehicle"), ("bus", "vehicle")),
    *(("eagle", "bird"), ("owl", "bird"), ("duck", "poultry")),
)
