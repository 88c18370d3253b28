"""One small video with every kind of error, as json content."""

from made_tracks import SIZE, annotation, box, result

FRAMES = 6
RING, SQUARE, STAR = 3, 5, 8  # category ids
CATEGORIES = [{"id": RING, "name": "ring"}, {"id": SQUARE, "name": "square"}, {"id": STAR, "name": "star"}]


def shown_in(frames, mask):
    return [mask if frame in frames else None for frame in range(FRAMES)]


def make_truth():
    return {
        "videos": [
            {
                "id": 1,
                "height": SIZE[0],
                "width": SIZE[1],
                "length": FRAMES,
                "file_names": [f"clip/{frame:05d}.png" for frame in range(FRAMES)],
            }
        ],
        "categories": CATEGORIES,
        "annotations": [
            annotation(11, RING, 0, FRAMES),
            annotation(12, SQUARE, 14, FRAMES),
            annotation(13, STAR, 28, FRAMES),
        ],
    }


def make_results():
    """The ring is found, the square changes its track, the star is a ring and then missed, and two tracks are false."""
    return [
        result(RING, shown_in(range(6), box(0)), 0.9),
        result(SQUARE, shown_in((0, 1, 2), box(14)), 0.8),
        result(SQUARE, shown_in((3, 4, 5), box(14)), 0.7),
        result(RING, shown_in((0, 1, 2, 3), box(28)), 0.6),
        result(STAR, shown_in((1, 2), box(24, width=4)), 0.5),
        result(STAR, shown_in((5,), box(0)), 0.1),
    ]
