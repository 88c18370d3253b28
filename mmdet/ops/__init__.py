"""Pure functions on tensors and arrays: boxes, masks, nms, collectives. They know no model and no data set."""
