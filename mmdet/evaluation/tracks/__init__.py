"""Tracks as they are compared: true and predicted, joined by video, and how much they overlap."""
