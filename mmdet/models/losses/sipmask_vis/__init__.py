"""The training losses of SipMask-VIS."""
