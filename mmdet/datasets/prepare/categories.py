"""The categories of the public video sets, and the COCO categories that map to them.

Sources: the sets' annotation files (their spelling, errors included); the category maps of joint training with COCO
images that VIS methods use. Ids are 1, 2, ... in the order of the tuples.
"""

from __future__ import annotations

CATEGORIES = {
    "youtube_vis_2019": (
        *("person", "giant_panda", "lizard", "parrot", "skateboard", "sedan", "ape", "dog", "snake", "monkey", "hand"),
        *("rabbit", "duck", "cat", "cow", "fish", "train", "horse", "turtle", "bear", "motorbike", "giraffe"),
        *("leopard", "fox", "deer", "owl", "surfboard", "airplane", "truck", "zebra", "tiger", "elephant"),
        *("snowboard", "boat", "shark", "mouse", "frog", "eagle", "earless_seal", "tennis_racket"),
    ),
    "youtube_vis_2021": (
        *("airplane", "bear", "bird", "boat", "car", "cat", "cow", "deer", "dog", "duck", "earless_seal", "elephant"),
        *("fish", "flying_disc", "fox", "frog", "giant_panda", "giraffe", "horse", "leopard", "lizard", "monkey"),
        *("motorbike", "mouse", "parrot", "person", "rabbit", "shark", "skateboard", "snake", "snowboard"),
        *("squirrel", "surfboard", "tennis_racket", "tiger", "train", "truck", "turtle", "whale", "zebra"),
    ),
    "ovis": (
        *("Person", "Bird", "Cat", "Dog", "Horse", "Sheep", "Cow", "Elephant", "Bear", "Zebra", "Giraffe", "Poultry"),
        *("Giant_panda", "Lizard", "Parrot", "Monkey", "Rabbit", "Tiger", "Fish", "Turtle", "Bicycle", "Motorcycle"),
        *("Airplane", "Boat", "Vehical"),
    ),
}

# ids and names of the COCO categories that a video set has
COCO_NAMES = {
    **{1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 5: "airplane", 6: "bus", 7: "train", 8: "truck"},
    **{9: "boat", 16: "bird", 17: "cat", 18: "dog", 19: "horse", 20: "sheep", 21: "cow", 22: "elephant", 23: "bear"},
    **{24: "zebra", 25: "giraffe", 34: "frisbee", 35: "skis", 36: "snowboard", 41: "skateboard", 42: "surfboard"},
    43: "tennis racket",
}

# COCO id -> id in the video set
COCO_TO_VIS = {
    "youtube_vis_2019": {
        **{1: 1, 2: 21, 3: 6, 4: 21, 5: 28, 7: 17, 8: 29, 9: 34, 17: 14, 18: 8, 19: 18, 21: 15, 22: 32, 23: 20},
        **{24: 30, 25: 22, 35: 33, 36: 33, 41: 5, 42: 27, 43: 40},
    },
    "youtube_vis_2021": {
        **{1: 26, 2: 23, 3: 5, 4: 23, 5: 1, 7: 36, 8: 37, 9: 4, 16: 3, 17: 6, 18: 9, 19: 19, 21: 7, 22: 12, 23: 2},
        **{24: 40, 25: 18, 34: 14, 35: 31, 36: 31, 41: 29, 42: 33, 43: 34},
    },
    "ovis": {
        **{1: 1, 2: 21, 3: 25, 4: 22, 5: 23, 6: 25, 8: 25, 9: 24, 17: 3, 18: 4, 19: 5, 20: 6, 21: 7, 22: 8, 23: 9},
        **{24: 10, 25: 11},
    },
}
