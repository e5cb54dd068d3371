"""How the simulated vendor says no."""

from __future__ import annotations

from starlette.responses import Response

from locks.simulators.shared.answers import json_answer
from locks.simulators.simlock.words import STATUS, Refusal


def refusal_answer(refusal: Refusal) -> Response:
    """``{"code", "message"}`` with the status of the code."""
    answer = json_answer(
        {"code": refusal.code, "message": refusal.message}, status=STATUS[refusal.code]
    )
    if refusal.retry_after_s is not None:
        answer.headers["retry-after"] = f"{refusal.retry_after_s:g}"
    return answer
