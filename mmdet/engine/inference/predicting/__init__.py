"""Predicting on the user's own videos: from sources to drawn videos, pictures and tables."""
