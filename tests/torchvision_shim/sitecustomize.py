"""Lets torchvision be imported where torch is built for another device: the one for CUDA beside the CPU's.

Its import describes two operators that its own compiled part brings, and which that cannot load there.
Declared here, they fail only where something calls them; scaling images does not. Python runs this file at
its start where the folder is on PYTHONPATH.
"""

import sys

try:
    import torchvision  # noqa: F401
except RuntimeError:
    import torch

    LIBRARY = torch.library.Library("torchvision", "DEF")
    LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[name]
