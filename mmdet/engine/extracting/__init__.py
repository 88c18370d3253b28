"""The frames of videos as files, with an annotation file that lists them, ready for labelling."""
