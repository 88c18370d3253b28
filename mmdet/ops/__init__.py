"""Pure functions on tensors and arrays: boxes, masks, nms, what processes exchange. They know no model, no data set."""
