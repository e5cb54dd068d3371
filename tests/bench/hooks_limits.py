"""The limits of webhook receipt, answered in the same place of the middleware as Portal's own addresses."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from portal.middleware import ShortForWebhooks

_INSERT = (
    "INSERT INTO pms_webhookevent (property_id, integration_id, event_key, event, entity, payload, "
    "token, received_at, tries, result) VALUES (%s, %s, %s, %s, %s, %s, '', %s, 0, '') ON CONFLICT DO NOTHING"
)


class WithLimits(ShortForWebhooks):
    """Answers the two limits; everything else is Portal's."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/limit/empty":
            return HttpResponse()
        if request.path_info.startswith("/limit/insert/"):
            hotel, integration = request.path_info.rsplit("/", 2)[1:]
            return self.insert(request, int(hotel), int(integration))
        return super().__call__(request)

    def insert(self, request: HttpRequest, hotel_id: int, integration_id: int) -> HttpResponse:
        """Store the body, believe and check nothing."""
        at = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
        with connection.cursor() as cursor:
            cursor.execute(
                _INSERT,
                [
                    hotel_id,
                    integration_id,
                    uuid.uuid4().hex,
                    "limit",
                    "",
                    request.body.decode(),
                    at,
                ],
            )
        return HttpResponse()
