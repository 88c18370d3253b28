"""Where frames come from: files, folders, patterns, lists, cameras, addresses; which frames are used."""
