"""The official figures: average precision and recall of tracks."""
