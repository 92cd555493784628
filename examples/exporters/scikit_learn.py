"""scikit-learn through skl2onnx: pipelines, linear models, trees, neighbours of none.

pip install scikit-learn==VERSION skl2onnx==VERSION
python scikit_learn.py [FOLDER]
"""
