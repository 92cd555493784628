"""What ONNX Runtime says of a fault, as a user can read it."""

from __future__ import annotations

import re

_BEFORE_IT = (
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"^.*(Status Message: |\[\w+InferenceError\] |This is an invalid model\. .* , Error )",
    r"^(Exception during initialization: )?\S+\.(cc|h):\d+ (.* was false\. |\w+ (?=[A-Z])|.*?::\w+\(.*?\)( const)? )?",
    r"^This is an invalid model\. ",
)


def reason(text: str) -> str:
    """The first line, without error codes and places in its own source."""
    found = said = text.splitlines()[0]
    for before in _BEFORE_IT:
        found = re.sub(before, "", found)
    return found or said
