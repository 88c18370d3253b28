"""Other formats of labelled videos become the annotation json: the table of formats, and what their readers share."""
