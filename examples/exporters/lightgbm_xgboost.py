"""LightGBM and XGBoost through onnxmltools: boosted trees.

pip install lightgbm==4.7.0 xgboost==3.2.0 onnxmltools==1.16.0 onnx==1.23.2 scikit-learn==1.9.1
python lightgbm_xgboost.py [FOLDER]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxmltools
from common import save
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools.convert.common.data_types import FloatTensorType
from scikit_learn import split
from sklearn.datasets import load_diabetes, load_iris
from xgboost import XGBClassifier, XGBRegressor

SMALL = {"n_estimators": 6, "max_depth": 3, "random_state": 0}
LIGHT = {**SMALL, "min_child_samples": 5, "verbose": -1}
CONVERTERS: dict[str, Callable[..., Any]] = {
    "lightgbm": onnxmltools.convert_lightgbm,
    "xgboost": onnxmltools.convert_xgboost,
}


def export(name: str, model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    """Train, convert, and write with what the model itself predicts."""
    x, y, tested = split(*data)
    model.fit(x, y)
    given = {"zipmap": False} if name == "lightgbm_classifier" else {}
    proto = CONVERTERS[name.split("_")[0]](
        model, initial_types=[("x", FloatTensorType([None, x.shape[1]]))], target_opset=15, **given
    )
    results = [model.predict(tested)]
    if hasattr(model, "predict_proba"):
        results.append(model.predict_proba(tested))
    names = [output.name for output in proto.graph.output]
    save(name, proto, {"x": tested}, dict(zip(names, results, strict=True)))


if __name__ == "__main__":
    iris, diabetes = load_iris(return_X_y=True), load_diabetes(return_X_y=True)
    two = (iris[0], (iris[1] > 0).astype(int))
    export("lightgbm_classifier", LGBMClassifier(**LIGHT), iris)
    export("lightgbm_binary", LGBMClassifier(**LIGHT), two)
    export("lightgbm_regressor", LGBMRegressor(**LIGHT), diabetes)
    export("xgboost_classifier", XGBClassifier(**SMALL), iris)
    export("xgboost_binary", XGBClassifier(**SMALL), two)
    export("xgboost_regressor", XGBRegressor(**SMALL), diabetes)
