"""Problem details (RFC 9457): every fault below /api/ is one, Django's own included."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from lvheng.core.problem import Problem

PROBLEM_JSON = "application/problem+json"


def fault(p: Problem) -> dict[str, Any]:
    return {**p.as_dict(), "severity": p.severity.value}


def details(problems: list[Problem], status: int) -> HttpResponse:
    title = problems[0].message if len(problems) == 1 else f"有{len(problems)}处需要处理"
    body = {"type": "about:blank", "title": title, "status": status, "problems": [fault(p) for p in problems[:500]]}
    return HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=PROBLEM_JSON)


def one(code: str, message: str, status: int, **more: str) -> HttpResponse:
    return details([Problem(f"filing.api.{code}", message, **more)], status)  # type: ignore[arg-type]


_PLAIN = {
    400: ("request", "请求无法识别", "按接口说明改正。"),
    404: ("address.unknown", "没有这个接口地址", "按接口说明核对地址。"),
    405: ("method", "这个接口地址不用这种请求方法", "按接口说明改用允许的方法。"),
    413: ("size", "请求的内容过大", "分次发送；文件用上传接口。"),
    500: ("defect", "系统出错，没有办理", "请稍后再试；仍不成功的，将时间和地址告知系统管理员。"),
}  # fmt: skip


def plain(status: int, *, wanted: str = "") -> HttpResponse:
    """The problem of a status for which nothing more is known."""
    code, message, fix = _PLAIN.get(status) or _PLAIN[400 if status < 500 else 500]
    if status == 413:
        wanted = f"不超过{settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024 // 1024} MB"
    return one(code, message, status, wanted=wanted, fix=fix)


class PlainFaults:
    """What Django itself answers below /api/ (no such address, wrong method, an error) as a problem too."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.answer(request)
        if response.status_code < 400 or not request.path.startswith("/api/") or request.path == reverse("api_docs"):
            return response
        if response.get("Content-Type", "").startswith(PROBLEM_JSON):
            return response
        said = plain(response.status_code, wanted=response.get("Allow", ""))
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in response:
                said[name] = response[name]
        return said
