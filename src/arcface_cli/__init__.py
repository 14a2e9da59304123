"""Face recognition from a shell: photographs in, names out."""

import os

# ONNX Runtime, from 1.29 on, reports to its maker unless this is set before it is loaded. We send nothing.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
