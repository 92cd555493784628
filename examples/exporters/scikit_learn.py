"""scikit-learn through skl2onnx: pipelines, ensembles of trees, support vectors, neighbours, a small network.

pip install scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 numpy==2.4.6
python scikit_learn.py [FOLDER]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import SAMPLES, save
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

# Of each file, what tells iris flowers apart.
CLASSIFIERS: dict[str, Any] = {
    "sklearn_logistic": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "sklearn_zipmap": make_pipeline(PCA(2), LogisticRegression()),
    "sklearn_sgd": SGDClassifier(random_state=0),
    "sklearn_naive_bayes": GaussianNB(),
    "sklearn_neighbours": KNeighborsClassifier(3),
    "sklearn_forest": RandomForestClassifier(6, max_depth=4, random_state=0),
    "sklearn_boosted_stumps": AdaBoostClassifier(n_estimators=4, random_state=0),
    "sklearn_network": make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=500, random_state=0)),
    "sklearn_svc": make_pipeline(StandardScaler(), SVC()),
}
# And what tells how diabetes goes on, or which patients are rare.
REGRESSORS: dict[str, Any] = {
    "sklearn_gradient_boosting": GradientBoostingRegressor(n_estimators=12, max_depth=3, random_state=0),
    "sklearn_svr": make_pipeline(StandardScaler(), SVR(C=50)),
    "sklearn_isolation_forest": IsolationForest(n_estimators=3, max_samples=16, random_state=0),
}
OPSETS = {"": 17, "ai.onnx.ml": 3}


def split(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is trained on, 64 samples, and as many others as are recorded."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order]
    return x[SAMPLES : SAMPLES + 64], y[SAMPLES : SAMPLES + 64], x[:SAMPLES]


def classify(name: str, model: Any) -> None:
    """Labels, and probabilities or what is decided by."""
    x, y, tested = split(*load_iris(return_X_y=True))
    model.fit(x, y)
    gives = model.predict_proba if hasattr(model, "predict_proba") else model.decision_function
    options = {"zipmap": False} if hasattr(model, "predict_proba") and name != "sklearn_zipmap" else {}
    proto = to_onnx(model, x[:1], options=options, target_opset=OPSETS)
    names = [output.name for output in proto.graph.output]
    save(name, proto, {"X": tested}, dict(zip(names, (model.predict(tested), gives(tested)), strict=True)))


def regress(name: str, model: Any) -> None:
    """Numbers, of the isolation forest labels and scores."""
    x, y, tested = split(*load_diabetes(return_X_y=True))
    model.fit(x, y)
    proto = to_onnx(model, x[:1], target_opset=OPSETS)
    results = [model.predict(tested)]
    if hasattr(model, "decision_function"):
        results.append(model.decision_function(tested))
    names = [output.name for output in proto.graph.output]
    save(name, proto, {"X": tested}, dict(zip(names, results, strict=True)))


if __name__ == "__main__":
    for name, model in CLASSIFIERS.items():
        classify(name, model)
    for name, model in REGRESSORS.items():
        regress(name, model)
