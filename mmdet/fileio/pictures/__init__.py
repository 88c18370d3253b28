"""Images and videos: which files are any, their sizes, their pixels, and what is damaged."""
