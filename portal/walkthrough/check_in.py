"""Sections 2, 3 and 6 of the article: the tag and its tooltip, and reservations that wait for their check-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from portal.walkthrough.article import quoted
from portal.walkthrough.by_hand import held
from portal.walkthrough.pages import NotTrue
from portal.walkthrough.screens import (
    allow_on_page,
    check_pending_tooltip,
    give_reason,
    has_tag,
    shows_on_hover,
    tag_in_list,
    tag_of_door,
)
from portal.walkthrough.stage import Stage, Stay
from portal.walkthrough.telling import must, tells

NOT_CHECKED_IN = "The reservation is not checked in"


@cache
def waiting(stage: Stage) -> Stay:
    """A reservation that nobody checks in at the front desk."""
    return stage.book("Wilma Waiting")


@cache
def early(stage: Stage) -> Stay:
    """A reservation that began yesterday, so that only the missing check-in keeps its code from opening."""
    yesterday = f"{stage.moment(days=-1):%Y-%m-%d}"
    return stage.book("Edgar Early", arrival=yesterday, nights=2)


# 2. Pending Provisioning Status


@tells("If a door in a keychain is not allowed to be provisioned, the system displays")
def tag(stage: Stage) -> str:
    key = held(stage)
    tag_of_door(key)
    tag_in_list(stage, key)
    return "on the page of the key beside its door, and on Keys"


@tells("Provisioning was manually disabled by staff.")
def disabled_by_staff(stage: Stage) -> str:
    key = stage.key("Sina Switched", allow=True)
    key.written()
    stage.wait(lambda: not has_tag(key), "the key keeps the tag with its code on the lock")
    allow_on_page(key, on=False)
    key.gone()
    return f"switched off on Edit Door the code left the lock; the page says “{give_reason(stage, key, 'Allow Provisioning was switched off')}”"


@tells("The PMS reservation is not checked in.")
def not_checked_in(stage: Stage) -> str:
    key = waiting(stage).key
    said = give_reason(stage, key, NOT_CHECKED_IN)
    key.kept_off()
    return f"a reservation made at the PMS has a key with the tag and no code on a lock: “{said}”"


@tells("Online check-in or front-desk check-in has not been completed.")
def neither(stage: Stage) -> str:
    online, desk = stage.book("Ophelia Online"), stage.book("Frida Front-Desk")
    stage.kept_off(online.key, desk.key)
    online.check_in_online()
    desk.check_in()
    first, second = online.key.written(), desk.key.written()
    return f"not on a lock before; after online check-in on {first}, after front-desk check-in on {second}"


@tells("Property configuration requires check-in before provisioning.")
def required(stage: Stage) -> str:
    stay = waiting(stage)
    with only_front_desk(stage):
        stay.check_in_online()
        stage.wait(lambda: _is_online(stage, stay), "Portal does not know of the online check-in")
        stay.key.kept_off()
        said = give_reason(stage, stay.key, f"{NOT_CHECKED_IN} (at the front desk)")
    where = stay.key.written()
    return f"Settings → Property asks for the front desk: checked in online, “{said}”; asks for either again: on {where}"


def _is_online(stage: Stage, stay: Stay) -> bool:
    rows = stage.api.get("/reservations/", number=stay.id)["results"]
    return bool(rows and rows[0]["checked_in_online_at"])


@contextmanager
def only_front_desk(stage: Stage) -> Iterator[None]:
    """Settings → Property asks for a check-in at the front desk for a while. Raises NotTrue when none was asked for."""
    before = stage.api.get("/property/")["check_in_rule"]
    must(before in {"either", "online"}, f"the demo hotel asks for this check-in: {before}")

    def put_back() -> None:
        if stage.api.get("/property/")["check_in_rule"] != before:
            _save_rule(stage, before)

    stage.take_back.append(put_back)
    _save_rule(stage, "front_desk")
    yield
    put_back()


def _save_rule(stage: Stage, rule: str) -> None:
    """Save it, and confirm it where Portal says first what it does to keys."""
    page = stage.web.get("/settings/").follow("Property").press("Save", check_in_rule=rule)
    if any(each.text == "Change the rules" for each in page.root.all("button")):
        page = page.press("Change the rules")
    must("Saved." in page.text, f"Settings → Property did not save: {page.text[:300]}")


# 3. Pending Provisioning Tooltip


@tells("When staff hover over the Pending Provisioning tag, a tooltip appears")
def tooltip(stage: Stage) -> str:
    key = held(stage)
    said = check_pending_tooltip(stage, key, "")
    return f"{said}, {shows_on_hover(stage, key.page)}"


@tells("The credentials haven’t been assigned to the door yet.")
def tooltip_begins(stage: Stage) -> str:
    return check_pending_tooltip(stage, held(stage), quoted("The credentials haven’t"))


@tells("This can occur if provisioning was manually disabled")
def tooltip_ends(stage: Stage) -> str:
    stay = early(stage)
    give_reason(stage, stay.key, NOT_CHECKED_IN)
    said = check_pending_tooltip(stage, stay.key, quoted("This can occur if"))
    return f"{said}, here of a reservation that is not checked in"


# 6. Why Provisioning Is Useful


@tells("Prevent early access before check-in")
def no_early_access(stage: Stage) -> str:
    key = early(stage).key
    key.kept_off()
    for ref in key.locks:
        tried = stage.try_at_door(ref, key.code)
        must(not tried["opened"], f"before check-in the code opens {ref}")
    return f"within its dates but before check-in the code opens none of {', '.join(key.locks)}"


@tells("Follow PMS-based check-in rules")
def follows_check_in(stage: Stage) -> str:
    stay = early(stage)
    stay.check_in()
    stay.key.written()
    for ref in stay.key.locks:
        tried = stage.try_at_door(ref, stay.key.code)
        must(tried["opened"], f"after check-in, at {ref}: {tried['said']}")
    stay.act("undo-check-in")
    stay.key.gone()
    stay.check_in()
    return f"checked in, it opens {', '.join(stay.key.locks)}; undone, it is off; checked in again, on {stay.key.written()}"


@tells("Prepare keys in advance without activating them")
def prepared(stage: Stage) -> str:
    key = stage.key("Nadia Next-Week", allow=False, starts_in_days=7)
    key.kept_off()
    told = key.told
    must(told["state"] == "upcoming" and not told["active"], f"the API says {told['state']}")
    must("Inactive" in key.page.text.split(), "the page of the key does not say Inactive")
    return "a key for next week, switched off, has its code and is on no lock: Upcoming, Inactive"


@tells("Handle manual and automated access flows safely")
def side_by_side(stage: Stage) -> str:
    guest = early(stage).key
    lock, room = guest.locks[0], guest.rooms[0]
    staff = stage.key("Max Maintenance", allow=True, door=room)
    staff.written()
    guest.written()
    must(guest.code != staff.code, "two keys have one code")
    figures = stage.locks.get("/control/stats", requests=0)["locks"][lock]
    must(not figures["write_overlaps"], f"two wrote to {lock} at once")
    staff.revoke()
    staff.gone()
    if lock not in guest.held_by():
        raise NotTrue(f"revoking a key made by hand took a guest’s code off {lock}")
    return f"a reservation’s and a hand-made key on {lock}: two codes, never two writes at once, and one goes without the other"
