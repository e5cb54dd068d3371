"""The methods that read: hotels, rooms, reservations."""

from __future__ import annotations

from typing import TypeVar
from zoneinfo import ZoneInfo

from pms.simulators.cloudbeds.calls import Call, Json, Method
from pms.simulators.cloudbeds.clock import read_wire
from pms.simulators.cloudbeds.hotels import ORGANIZATION
from pms.simulators.cloudbeds.records import Booking, Property, booking_of, bookings, rooms_of
from pms.simulators.cloudbeds.wire import Extras
from pms.simulators.shared.forms import BadParameter
from pms.simulators.shared.store import Value, marks
from pms.simulators.shared.wishes import Refused

MOST_PER_PAGE = 100
T = TypeVar("T")
EURO = {"currencyCode": "EUR", "currencySymbol": "€", "currencyPosition": "before"}


class Search:
    """A search among bookings, and the page of it that was asked for."""

    def __init__(self, call: Call) -> None:
        """All bookings of the hotels the call is about."""
        self._call = call
        self._clauses: list[str] = []
        self._values: list[Value] = []
        ids = [hotel.id for hotel in call.hotels]
        self.where(f"property_id IN ({marks(ids)})", *ids)

    def where(self, clause: str, *values: Value) -> None:
        """Narrow it; clauses are this module's own text."""
        self._clauses.append(clause)
        self._values += values

    def day(self, name: str, clause: str) -> None:
        """Narrow it by a date parameter, if it was sent."""
        value = self._call.params.day(name)
        if value:
            self.where(clause, value)

    def text(self, name: str, clause: str) -> None:
        """Narrow it by a text parameter, if it was sent."""
        value = self._call.params.text(name)
        if value:
            self.where(clause, value)

    def moment(self, name: str, clause: str) -> None:
        """Narrow it by a date-time parameter, which is read in the hotel's zone, or in UTC."""
        value = self._call.params.text(name)
        if not value:
            return
        at = read_wire(value, self._zone())
        if at is None:
            raise BadParameter(f"Invalid date: {name}")
        self.where(clause, at)

    def _zone(self) -> ZoneInfo:
        utc = self._call.world.quirks.modified_filter_is_utc
        return self._call.hotel.zone if not utc else ZoneInfo("UTC")

    def dates_of_booking_and_change(self) -> None:
        """The four filters that both lists have."""
        self.moment("resultsFrom", "created_at >= ?")
        self.moment("resultsTo", "created_at <= ?")
        self.moment("modifiedFrom", "modified_at >= ?")
        self.moment("modifiedTo", "modified_at <= ?")
        self.text("guestID", "id IN (SELECT booking_id FROM guests WHERE guests.id = ?)")

    def page(self) -> tuple[list[Booking], int]:
        """The bookings of the page asked for, and how many there are on all pages."""
        store, params = self._call.world.store, self._call.params
        size = min(params.whole("pageSize", MOST_PER_PAGE), MOST_PER_PAGE)
        skipped = (params.whole("pageNumber", 1) - 1) * size
        recent = params.flag("sortByRecent")
        order = "modified_at DESC, id DESC" if recent else "created_at, id"
        found = f"FROM bookings WHERE {' AND '.join(self._clauses)}"
        total = store.number(f"SELECT count(*) {found}", *self._values)
        sql = f"SELECT id {found} ORDER BY {order} LIMIT ? OFFSET ?"
        ids = [row["id"] for row in store.rows(sql, *self._values, size, skipped)]
        return bookings(store, ids), total


def get_hotels(call: Call) -> Json:
    """``getHotels``: the hotels of the token; 20 a page unless asked otherwise."""
    name = call.params.text("propertyName").lower()
    found = [hotel for hotel in call.hotels if name in hotel.name.lower()]
    page = _slice(call, found)
    return _listed([_hotel(hotel) for hotel in page], total=len(found))


def get_hotel_details(call: Call) -> Json:
    """``getHotelDetails``: times of arrival and departure are in ``propertyPolicy``."""
    hotel = call.hotel
    policy = {
        "propertyCheckInTime": hotel.check_in,
        "propertyCheckOutTime": hotel.check_out,
        "propertyLateCheckOutAllowed": False,
        "propertyFullPaymentBeforeCheckin": False,
    }
    data = {
        "propertyID": hotel.id,
        "organizationID": ORGANIZATION,
        "propertyName": hotel.name,
        "propertyType": "hotel",
        "propertyDescription": "An invented hotel of the simulator.",
        "propertyCurrency": EURO,
        "propertyPrimaryLanguage": "en",
        "propertyPolicy": policy,
        "propertyAmenities": [],
    }
    return {"success": True, "data": data}


def get_rooms(call: Call) -> Json:
    """``getRooms``: 20 a page unless asked otherwise, grouped by hotel."""
    pairs = [
        (hotel, room)
        for hotel in call.hotels
        for room in rooms_of(call.world.store, hotel.id).values()
        if _room_wanted(call, room.type_id, room.type_short)
    ]
    page = _slice(call, pairs)
    relations = call.params.flag("includeRoomRelations")
    groups: dict[str, list[Json]] = {hotel.id: [] for hotel in call.hotels}
    for hotel, room in page:
        groups[hotel.id].append(call.wire(hotel).room(room, relations=relations))
    data = [{"propertyID": hotel_id, "rooms": rooms} for hotel_id, rooms in groups.items()]
    return {"success": True, "data": data, "count": len(page), "total": len(pairs)}


def get_reservations_with_rate_details(call: Call) -> Json:
    """``getReservationsWithRateDetails``: knows the state of each room and of deletion."""
    search = Search(call)
    search.dates_of_booking_and_change()
    search.day("reservationCheckOutFrom", "check_out >= ?")
    search.day("reservationCheckOutTo", "check_out <= ?")
    wanted, excluded = call.params.comma("reservationID"), call.params.comma("excludeStatuses")
    if wanted:
        search.where(f"id IN ({marks(wanted)})", *wanted)
    if excluded:
        search.where(f"status NOT IN ({marks(excluded)})", *excluded)
    if not call.params.flag("includeDeleted"):
        search.where("is_deleted = 0")
    found, total = search.page()
    wire, extras = call.wire(call.hotel), _extras(call)
    return _listed([wire.rate_details(booking, extras) for booking in found], total=total)


def get_reservations(call: Call) -> Json:
    """``getReservations``: by status and dates; never shows deleted ones."""
    search = Search(call)
    search.where("is_deleted = 0")
    search.dates_of_booking_and_change()
    search.text("status", "status = ?")
    search.text("sourceReservationId", "third_party = ?")
    _by_dates(call, search)
    _by_room(call, search)
    for column, name in (("first", "firstName"), ("last", "lastName")):
        search.text(name, f"id IN (SELECT booking_id FROM guests WHERE {column} = ?)")  # noqa: S608
    found, total = search.page()
    wires = {hotel.id: call.wire(hotel) for hotel in call.hotels}
    extras = _extras(call)
    rows = [wires[booking.property_id].listed(booking, extras) for booking in found]
    return _listed(rows, total=total)


def get_reservation(call: Call) -> Json:
    """``getReservation``: one booking, not found if it was deleted."""
    booking = own_booking(call, call.params.need("reservationID"))
    return {"success": True, "data": call.wire(call.hotel).full(booking)}


def get_reservation_room_details(call: Call) -> Json:
    """``getReservationRoomDetails``: one room line with its own status."""
    stay_id = call.params.need("subReservationID")
    row = call.world.store.row("SELECT booking_id FROM stays WHERE id = ?", stay_id)
    if row is None:
        raise Refused("Sub reservation not found")
    booking = own_booking(call, row["booking_id"])
    stay = next(stay for stay in booking.stays if stay.id == stay_id)
    return {"success": True, "data": call.wire(call.hotel).room_details(booking, stay)}


def get_reservation_assignments(call: Call) -> Json:
    """``getReservationAssignments``: who has which room on a date (default: today)."""
    day = call.params.day("date") or str(call.now.astimezone(call.hotel.zone).date())
    search = "SELECT DISTINCT booking_id FROM stays JOIN bookings ON bookings.id = booking_id"
    rows = call.world.store.rows(
        f"{search} WHERE property_id = ? AND is_deleted = 0 AND starts_on <= ? AND ends_on > ?"
        " AND bookings.status NOT IN ('canceled', 'no_show') ORDER BY booking_id",
        call.hotel.id,
        day,
        day,
    )
    wire = call.wire(call.hotel)
    found = bookings(call.world.store, [row["booking_id"] for row in rows])
    return {"success": True, "data": [wire.assignment(booking) for booking in found]}


def own_booking(call: Call, booking_id: str) -> Booking:
    """A booking of the call's hotel that was not deleted; Refused otherwise."""
    missing = Refused("Reservation not found")
    try:
        booking = booking_of(call.world.store, booking_id)
    except Refused:
        raise missing from None
    if booking.is_deleted or booking.property_id != call.hotel.id:
        raise missing
    return booking


def _by_dates(call: Call, search: Search) -> None:
    of_rooms = call.params.text("datesQueryMode") == "rooms"
    columns = (("checkIn", "starts_on", "check_in"), ("checkOut", "ends_on", "check_out"))
    for name, room_column, column in columns:
        for end, sign in (("From", ">="), ("To", "<=")):
            clause = f"{column} {sign} ?"
            if of_rooms:
                clause = f"id IN (SELECT booking_id FROM stays WHERE {room_column} {sign} ?)"  # noqa: S608
            search.day(f"{name}{end}", clause)


def _by_room(call: Call, search: Search) -> None:
    params = call.params
    dated = any(params.text(f"check{way}{end}") for way in ("In", "Out") for end in ("From", "To"))
    asked = params.text("roomID") or params.text("roomName")
    if asked and not dated and not params.text("status"):
        raise Refused("Check-in or check-out dates or a status are required with a room.")
    search.text("roomTypeID", "id IN (SELECT booking_id FROM stays WHERE type_id = ?)")
    if params.text("roomID"):
        search.text("roomID", "id IN (SELECT booking_id FROM stays WHERE room_id = ?)")
        return
    named = "SELECT id FROM rooms WHERE name = ?"
    search.text("roomName", f"id IN (SELECT booking_id FROM stays WHERE room_id IN ({named}))")  # noqa: S608


def _extras(call: Call) -> Extras:
    flag = call.params.flag
    return Extras(
        guests=flag("includeGuestsDetails"),
        fields=flag("includeCustomFields"),
        rooms=flag("includeAllRooms"),
    )


def _room_wanted(call: Call, type_id: str, type_short: str) -> bool:
    types, short = call.params.comma("roomTypeID"), call.params.text("roomTypeNameShort")
    return (not types or type_id in types) and short in {"", type_short}


def _hotel(hotel: Property) -> Json:
    return {
        "propertyID": hotel.id,
        "organizationID": ORGANIZATION,
        "propertyName": hotel.name,
        "propertyImage": "",
        "propertyDescription": "An invented hotel of the simulator.",
        "propertyTimezone": hotel.timezone,
        "propertyCurrency": [EURO],
    }


def _slice(call: Call, items: list[T]) -> list[T]:
    size = call.params.whole("pageSize", 20)
    skipped = (call.params.whole("pageNumber", 1) - 1) * size
    return items[skipped : skipped + size]


def _listed(rows: list[Json], *, total: int) -> Json:
    return {"success": True, "data": rows, "count": len(rows), "total": total}


METHODS = {
    "getHotels": Method("GET", "read:hotel", get_hotels, many=True),
    "getHotelDetails": Method("GET", "read:hotel", get_hotel_details),
    "getRooms": Method("GET", "read:room", get_rooms, many=True),
    "getReservations": Method("GET", "read:reservation", get_reservations, many=True),
    "getReservationsWithRateDetails": Method(
        "GET", "read:reservation", get_reservations_with_rate_details
    ),
    "getReservation": Method("GET", "read:reservation", get_reservation),
    "getReservationRoomDetails": Method("GET", "read:room", get_reservation_room_details),
    "getReservationAssignments": Method("GET", "read:reservation", get_reservation_assignments),
}
