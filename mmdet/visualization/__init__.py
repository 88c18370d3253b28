"""Drawing tracks over frames and writing them as pictures and videos."""
