"""Array types and the choices that options offer, each named once."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.float32]
"""Scaled pixels, (N, B, H, W), or (B, H, W) for one tile."""
Pixels: TypeAlias = NDArray[Any]
"""Pixels as stored in the scene, (B, H, W), in the scene's own dtype."""
Scores: TypeAlias = NDArray[np.float32]
"""One layer per class, (N, K, H, W), or (K, H, W) for one tile."""
LabelMap: TypeAlias = NDArray[np.uint8]
"""Class of every pixel, (H, W); 255 where there is no data."""
Mask: TypeAlias = NDArray[np.bool_]
"""Valid pixels, (H, W)."""

Blend = Literal["crop", "hann", "gaussian"]
Engine = Literal["auto", "openvino", "onnxruntime", "torch", "keras"]
Layer = Literal["confidence", "scores", "polygons"]
ProgressStyle = Literal["auto", "plain", "none"]
ScoreKind = Literal["logits", "probabilities"]
Framework = Literal["keras", "torch"]
SplitKind = Literal["blocks", "named", "random"]
Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["one_cycle", "cosine", "polynomial", "constant"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

NODATA = 255
"""Nodata value of every class map."""
