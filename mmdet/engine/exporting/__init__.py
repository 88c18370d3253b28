"""From a checkpoint to files that run without this package: ONNX, torch.export, AOTInductor, TorchScript."""
