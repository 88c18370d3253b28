"""Association figures: HOTA, IDF1 and MOTA."""
