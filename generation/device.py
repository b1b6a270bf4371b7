"""Which kind of device models will run on, found out without loading torch."""

from __future__ import annotations

import ctypes
import functools
import sys
from importlib import metadata
from pathlib import Path


@functools.cache
def has_gpu() -> bool:
    """Whether torch, as it is installed, will find a GPU. CUDA_VISIBLE_DEVICES counts."""
    loaded = sys.modules.get("torch")
    if loaded is not None:
        return bool(loaded.cuda.device_count())
    if _is_cpu_build() or not (_cuda_devices() or Path("/dev/kfd").exists()):
        return False
    import torch

    return torch.cuda.device_count() > 0


def _is_cpu_build() -> bool:
    try:
        return metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return True


def _cuda_devices() -> int:
    """GPUs that the driver shows this process; 0 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    found = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if found else 0
