"""One call of the vendor's API as its method sees it: caller, hotels, parameters, time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pms.simulators.cloudbeds.access import Caller
from pms.simulators.cloudbeds.forms import Params
from pms.simulators.cloudbeds.records import Property, property_of, rooms_of
from pms.simulators.cloudbeds.trouble import SECRET_NAMES
from pms.simulators.cloudbeds.wire import Wire
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.trouble import masked
from pms.simulators.shared.wishes import Refused

Json = dict[str, Any]
SCOPE_MISSING = "Scope required for this call was not granted by property."
NOT_YOURS = "None of the included property id's match the access_token user's property id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a method needs to answer."""

    world: World
    caller: Caller
    hotels: tuple[Property, ...]
    params: Params
    now: datetime
    api_url: str

    @property
    def hotel(self) -> Property:
        """The one hotel this call is about."""
        return self.hotels[0]

    def wire(self, hotel: Property) -> Wire:
        """Writes that hotel's records."""
        store = self.world.store
        sql = "SELECT shortcode, id, name FROM custom_fields WHERE property_id = ?"
        fields = {row["shortcode"]: (row["id"], row["name"]) for row in store.rows(sql, hotel.id)}
        return Wire(hotel, rooms_of(store, hotel.id), fields)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API: verb, scope it needs, and whether it may span several hotels."""

    verb: str
    scope: str
    answer: Callable[[Call], Json]
    many: bool = False


def hotels_meant(
    world: World, caller: Caller, params: Params, header: str, *, many: bool
) -> tuple[Property, ...]:
    """The hotels a call is about; Refused if they are not named or not the caller's."""
    asked = params.comma("propertyID") or params.comma("propertyIDs")
    asked = asked or ((header,) if header else ())
    if not asked and not many and len(caller.property_ids) > 1:
        raise Refused('Please specify "propertyID" parameter for this call')
    meant = [wanted for wanted in asked or caller.property_ids if wanted in caller.property_ids]
    if not meant:
        raise Refused(NOT_YOURS)
    return tuple(property_of(world.store, property_id) for property_id in meant)


def logged(request: Request, params: Params, response: Response) -> Json:
    """A call as the request log keeps it, with tokens, secrets, codes and field values starred out."""
    values = masked(params.values, SECRET_NAMES)
    return {
        "method": request.method,
        "path": request.url.path,
        "call": request.url.path.rpartition("/")[2],
        "query": values if request.url.query else {},
        "form": {} if request.url.query else values,
        "status": response.status_code,
    }
