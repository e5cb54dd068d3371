"""What every request passes, except webhooks, which pass almost nothing so that they are answered at once."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from locks import hooks
from pms import webhooks

Respond = Callable[[HttpRequest], HttpResponseBase]


class ShortForWebhooks:
    """Answers /hooks/ by itself: no session, no sign-in, no CSRF, no template, one insert."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/hooks/"):
            return self.get_response(request)
        path = request.path_info.removeprefix("/hooks/").strip("/")
        if path.startswith("locks/"):
            account, _, secret = path.removeprefix("locks/").partition("/")
            return hooks.receive(request, account=account, secret=secret)
        adapter, _, secret = path.partition("/")
        if not secret or "/" in secret:
            return HttpResponse(status=404)
        return webhooks.receive(request, adapter=adapter, secret=secret)
