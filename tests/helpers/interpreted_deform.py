"""Run the kernels of deformable convolution by Triton's interpreter, which has to be chosen before Triton is imported.

A program: argument 1 holds a list of (features, offsets, weight, upstream gradient), argument 2 is where the list of
[output, gradients of the three] goes.
"""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch  # noqa: E402

from mmdet.ops.deform.kernels import gpu_deform_conv  # noqa: E402

results = []
for *arguments, upstream in torch.load(sys.argv[1]):
    leaves = [argument.requires_grad_() for argument in arguments]
    output = gpu_deform_conv(*leaves)
    results.append([output.detach(), *torch.autograd.grad(output, leaves, upstream)])
torch.save(results, sys.argv[2])
