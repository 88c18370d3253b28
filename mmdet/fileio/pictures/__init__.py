"""Images and videos: recognise the files, read their sizes and pixels, and detect damage."""
