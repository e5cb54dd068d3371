"""The partner's side of MEWS' Connector API in tests: calls whose form is compared with the document."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.pms import mews_openapi
from tests.pms.mews_server import CLIENT_TOKEN, MewsServer

STATES = ["Inquired", "Requested", "Optional", "Confirmed", "Started", "Processed", "Canceled"]
LIST = "reservations/getAll/2023-06-06"


class MewsApp:
    """One AccessToken in use."""

    def __init__(self, server: MewsServer, token: str) -> None:
        self.server = server
        self.token = token

    def body(self, **fields: Any) -> dict[str, Any]:
        """A request's body with its credentials."""
        credentials = {"ClientToken": CLIENT_TOKEN, "AccessToken": self.token}
        return {**credentials, "Client": "Portal 1.0.0", **fields}

    def call(self, operation: str, **fields: Any) -> httpx2.Response:
        """Any call, also a wrong one."""
        at = f"/api/connector/v1/{operation}"
        return self.server.client.post(at, json=self.body(**fields))

    def checked(self, operation: str, **fields: Any) -> Any:
        """A good call: request and answer as documented."""
        if "getAll" in operation:
            fields.setdefault("Limitation", {"Count": 1000})
        answer = self.call(operation, **fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        if not mews_openapi.document_missing():
            asked = self.body(**fields)
            assert mews_openapi.violations_of_request(operation, asked) == []
            assert mews_openapi.violations_of_response(operation, 200, body) == []
        return body

    def all(self, operation: str, **fields: Any) -> list[dict[str, Any]]:
        """The rows of a list."""
        body = self.checked(operation, **fields)
        name = operation.partition("/")[0]
        return body[name[0].upper() + name[1:]]

    def one(self, reservation_id: str) -> dict[str, Any]:
        """One reservation."""
        return self.all(LIST, ReservationIds=[reservation_id])[0]

    def rooms(self, **fields: Any) -> list[dict[str, Any]]:
        """Rooms and beds."""
        return self.all("resources/getAll", **{"Extent": {"Resources": True}, **fields})

    def customers(self, ids: list[str]) -> list[dict[str, Any]]:
        """Guests by id."""
        return self.all("customers/getAll", Extent={"Customers": True}, CustomerIds=ids)

    def guests(self, reservation_id: str) -> set[str]:
        """Names of the owner and of the companions."""
        rows = self.all("companionships/getAll", Extent={}, ReservationIds=[reservation_id])
        ids = {row["CustomerId"] for row in rows} | {self.one(reservation_id)["AccountId"]}
        return {f"{one['FirstName']} {one['LastName']}" for one in self.customers(sorted(ids))}

    def code(self, reservation_id: str, value: str, **fields: Any) -> dict[str, Any]:
        """The wish to tell the staff a code."""
        permissions = {"Bed": False, "Room": True, "Floor": False, "Building": True}
        wish = {
            "ServiceOrderId": reservation_id,
            "Type": "PinCode",
            "Value": value,
            "ValidityStartUtc": "2026-11-23T14:00:00Z",
            "ValidityEndUtc": "2026-11-26T10:00:00Z",
            "Permissions": {name: {"Value": opens} for name, opens in permissions.items()},
            **fields,
        }
        return {"ResourceAccessTokenParameters": [wish]}

    def add_code(self, reservation_id: str, value: str, **fields: Any) -> dict[str, Any]:
        """Tell the staff a code."""
        body = self.checked(
            "resourceAccessTokens/add", **self.code(reservation_id, value, **fields)
        )
        return body["ResourceAccessTokens"][0]

    def codes(self, reservation_id: str, **fields: Any) -> list[dict[str, Any]]:
        """The codes told for a reservation."""
        return self.all("resourceAccessTokens/getAll", ServiceOrderIds=[reservation_id], **fields)
