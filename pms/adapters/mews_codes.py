"""Door Codes in MEWS: a resource access token of each reservation.

Looking comes before writing: adding has no key against doubles, and what an earlier try left must be found again.
https://docs.mews.com/connector-api/operations/resourceaccesstokens
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pms.adapters import NotUnderstood, StayCode
from pms.adapters import mews_answers as answers

Row = Mapping[str, Any]
NAME = "ResourceAccessTokens"
OPERATION = "resourceAccessTokens"
AT_ONCE = 500
OPENS = {"Bed": False, "Room": True, "Floor": False, "Building": True}


@dataclass(slots=True)
class Plan:
    """What must change, and by stay the id of each token that is right or is made right by an update."""

    delete: list[str] = field(default_factory=list)
    update: list[dict[str, Any]] = field(default_factory=list)
    add: list[dict[str, Any]] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)


def write(
    read: Callable[..., list[dict[str, Any]]],
    call: Callable[..., dict[str, Any]],
    codes: Sequence[StayCode],
    *,
    property_id: str,
) -> dict[str, str]:
    """Make the tokens of these stays agree; what is no longer true goes first. Returns their ids by stay."""
    refs: dict[str, str] = {}
    for some in _some(codes):
        asked = [code.stay_ref for code in some]
        rows = read(f"{OPERATION}/getAll", NAME, ServiceOrderIds=asked, ActivityStates=["Active"])
        plan = planned(rows, some)
        if plan.delete:
            call(f"{OPERATION}/delete", Ids=plan.delete)
        if plan.update:
            wanted = {"EnterpriseId": property_id, "ResourceAccessTokenUpdates": plan.update}
            call(f"{OPERATION}/update", **wanted)
        if plan.add:
            added = call(f"{OPERATION}/add", ResourceAccessTokenParameters=plan.add)
            plan.refs |= _ids_of(added)
        refs |= plan.refs
    return refs


def _some(codes: Sequence[StayCode]) -> Iterator[Sequence[StayCode]]:
    for start in range(0, len(codes), AT_ONCE):
        yield codes[start : start + AT_ONCE]


def _ids_of(added: Row) -> dict[str, str]:
    rows = answers.rows_of(added, NAME)
    found = {answers.id_of(row, "ServiceOrderId"): answers.id_of(row, "Id") for row in rows}
    if "" in found or "" in found.values():
        raise NotUnderstood("MEWS answered without the access tokens that it added.")
    return found


def planned(rows: Sequence[Row], codes: Sequence[StayCode]) -> Plan:
    """What must change so that these stays have just these codes. The room of a token cannot be changed: after a move
    it is replaced. Tokens of others are left alone."""
    plan = Plan()
    for code in codes:
        mine = [row for row in rows if _is_mine(row, code)]
        here = [row for row in mine if code.code and _room_of(row) == code.room_ref]
        kept = answers.id_of(here[0], "Id") if here else ""
        plan.delete += [ref for row in mine if (ref := answers.id_of(row, "Id")) != kept]
        if here:
            plan.refs[code.stay_ref] = kept
            if not _agrees(here[0], code):
                plan.update.append(_updated(kept, code))
        elif code.code:
            plan.add.append(_added(code))
    return plan


def _is_mine(row: Row, code: StayCode) -> bool:
    """Known by its id; or by its code, where a try of unknown outcome may have left it."""
    if answers.id_of(row, "ServiceOrderId") != code.stay_ref or row.get("Type") != "PinCode":
        return False
    values = {*code.maybe, code.code} - {""}
    return answers.id_of(row, "Id") == code.ref or answers.text(row, "Value") in values


def _room_of(row: Row) -> str:
    return answers.id_of(row, "ResourceId")


def _agrees(row: Row, code: StayCode) -> bool:
    opens = row.get("Permissions")
    times = [answers.moment(row.get(f"Validity{side}Utc")) for side in ("Start", "End")]
    return (
        answers.text(row, "Value") == code.code
        and isinstance(opens, dict)
        and all(bool(opens.get(name)) is wanted for name, wanted in OPENS.items())
        and [at and answers.stamp(at) for at in times] == list(_validity(code).values())
    )


def _validity(code: StayCode) -> dict[str, str]:
    start, end = code.starts_at, code.ends_at
    if start is None or end is None:
        raise ValueError("a code has a beginning and an end")
    return {"ValidityStartUtc": answers.stamp(start), "ValidityEndUtc": answers.stamp(end)}


def _permissions() -> dict[str, Any]:
    return {name: {"Value": opens} for name, opens in OPENS.items()}


def _updated(ref: str, code: StayCode) -> dict[str, Any]:
    times = {name: {"Value": at} for name, at in _validity(code).items()}
    return {
        "ResourceAccessTokenId": ref,
        "Value": {"Value": code.code},
        "Permissions": _permissions(),
        **times,
    }


def _added(code: StayCode) -> dict[str, Any]:
    room = {"ResourceId": code.room_ref} if code.room_ref else {}
    return {
        "ServiceOrderId": code.stay_ref,
        "Type": "PinCode",
        "Value": code.code,
        "Permissions": _permissions(),
        **room,
        **_validity(code),
    }
