"""3. Pending Provisioning Tooltip, and 4. Allow Provisioning Setting When Creating or Updating a Key"""

from __future__ import annotations

from datetime import datetime

from tests.eventually import eventually
from tests.pages import label_of

PENDING = (
    "The credentials haven’t been assigned to the door yet. This can occur if provisioning was "
    "manually disabled or if, based on your configuration settings, the linked PMS reservation "
    "hasn’t been checked in (either at the front desk or online)."
)
ALLOWED = (
    "Once provisioning is allowed, the credentials will be written to the door and will become "
    "valid for the selected time period."
)
DISABLED = (
    "If provisioning is disabled, the system will not write the credentials yet, and they will "
    "need to be enabled manually later."
)


def tooltip_of_tag(page) -> str:
    """The message of the first tag on a page; its element holds this text and nothing else."""
    tag = next(one for one in page.all(".//button") if label_of(one) == "Pending Provisioning")
    return only_text(page.described(tag))


def tooltip_of_info(page) -> str:
    """The same of the info icon at Allow Provisioning."""
    icon = page.all(".//button[@aria-label='About Allow Provisioning']")[0]
    return only_text(page.described(icon))


def only_text(tooltip) -> str:
    assert tooltip.get("role") == "tooltip"
    assert len(tooltip) == 0, "the tooltip holds more than its text"
    return tooltip.text


def appears_on_hover_and_focus(page) -> bool:
    """Whether the page's own stylesheet shows tooltips to a mouse, a keyboard and a finger, without a script."""
    sheets = [one.get("href", "") for one in page.all(".//link[@rel='stylesheet']")]
    own = [one for one in sheets if "/vendor/" not in one]
    css = "".join(page.browser.client.get(f"{page.browser.base_url}{one}").text for one in own)
    rules = [rule.partition("{") for rule in css.split("}")]
    tips = {
        (word, selector.strip())
        for selector, _, body in rules
        for word in ("hidden", "visible")
        if "tooltip" in selector and f"visibility:{word}" in body.replace(" ", "")
    }
    hidden = any(word == "hidden" and ":hover" not in selector for word, selector in tips)
    shown = [selector for word, selector in tips if word == "visible"]
    return hidden and any(":hover" in one and ":focus-within" in one for one in shown)


def test_when_staff_hover_over_the_pending_provisioning_tag_a_tooltip_appears(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Hanna Hover", room, allow=False)
    page = key.page()
    assert tooltip_of_tag(page)
    assert appears_on_hover_and_focus(page)


def test_the_credentials_have_not_been_assigned_to_the_door_yet(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Theo Tooltip", room, allow=False)
    pages = [key.page(), hotel.page(f"/keys/?q={room}"), key.page().click(f"Edit Door {room}")]
    assert [tooltip_of_tag(page) for page in pages] == [PENDING] * 3
    assert "’" in PENDING
    assert PENDING not in key.door(room).reasons


def test_when_creating_or_editing_a_key_staff_will_see_the_allow_provisioning_setting(hotel):
    creating = hotel.page("/keys/").click("Add Key").form("Save")
    assert creating.is_ticked("Allow Provisioning")
    room = hotel.free_room()
    key = hotel.add_key("Sia Setting", room, allow=False)
    assert "Allow Provisioning, all doors: off" in key.page().click("Edit Key").text
    assert not key.edit_door(room).is_ticked("Allow Provisioning")


def test_hovering_over_the_info_icon_shows_the_message(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Ines Info", room)
    pages = [
        hotel.page("/keys/add/"),
        key.page(),
        key.page().click("Edit Key"),
        key.page().click(f"Edit Door {room}"),
    ]
    assert [tooltip_of_info(page) for page in pages] == [f"{ALLOWED} {DISABLED}"] * 4
    assert all(appears_on_hover_and_focus(page) for page in pages)


def test_once_provisioning_is_allowed_the_credentials_will_be_written_and_become_valid(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Oda Once", room, allow=False)
    hotel.meanwhile(room)
    assert lock.memory(key) == []
    key.allow(room)
    held = eventually(lambda: lock.memory(key))[0]
    assert datetime.fromisoformat(held["starts_at"]) == key.starts_at
    assert datetime.fromisoformat(held["ends_at"]) == key.ends_at
    assert lock.opens_for(key.code())


def test_if_provisioning_is_disabled_the_system_will_not_write_the_credentials_yet(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Ida If", room, allow=False)
    hotel.meanwhile(room)
    assert lock.memory(key) == []
    form = key.edit_door(room)
    assert not form.is_ticked("Allow Provisioning")
    form.fill("Allow Provisioning", value=True).press("Save")
    eventually(lambda: lock.holds(key.code()))
