"""The machine becomes a page of what dtinterp found on it."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "transformer-lens", "minigrid", "gymnasium", "streamlit", "plotly", "scikit-learn", "safetensors")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def doctor() -> dict[str, str]:
    """Report versions, cores, accelerator and browser: what to send with a question."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "browser": next(filter(None, map(shutil.which, BROWSERS)), "none"),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
