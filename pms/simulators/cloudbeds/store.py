"""The tables of the Cloudbeds stand-in."""

from __future__ import annotations

from pms.simulators.shared.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS properties (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, timezone TEXT NOT NULL, check_in TEXT NOT NULL,
    check_out TEXT NOT NULL, app_state TEXT NOT NULL DEFAULT 'installing',
    status TEXT NOT NULL DEFAULT 'active', user_active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS rooms (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, name TEXT NOT NULL, type_id TEXT NOT NULL,
    type_name TEXT NOT NULL, type_short TEXT NOT NULL, dorm_name TEXT, is_virtual INTEGER NOT NULL,
    max_guests INTEGER NOT NULL, linked TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bookings (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL, canceled_at INTEGER,
    check_in TEXT NOT NULL, check_out TEXT NOT NULL, source TEXT NOT NULL,
    third_party TEXT NOT NULL, arrival_time TEXT, is_deleted INTEGER NOT NULL DEFAULT 0,
    fields TEXT NOT NULL DEFAULT '{}', oddities TEXT NOT NULL DEFAULT '{}',
    is_pinned INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS bookings_modified ON bookings (property_id, modified_at);
CREATE INDEX IF NOT EXISTS bookings_check_out ON bookings (property_id, check_out);
CREATE TABLE IF NOT EXISTS stays (
    id TEXT PRIMARY KEY, booking_id TEXT NOT NULL, line INTEGER NOT NULL,
    room_line_id TEXT NOT NULL, type_id TEXT NOT NULL, room_id TEXT, status TEXT NOT NULL,
    starts_on TEXT NOT NULL, ends_on TEXT NOT NULL, adults INTEGER NOT NULL,
    children INTEGER NOT NULL, status_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS stays_booking ON stays (booking_id);
CREATE INDEX IF NOT EXISTS stays_room ON stays (room_id, starts_on);
CREATE TABLE IF NOT EXISTS guests (
    id TEXT PRIMARY KEY, booking_id TEXT NOT NULL, stay_id TEXT NOT NULL, first TEXT NOT NULL,
    last TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, position INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS guests_booking ON guests (booking_id);
CREATE TABLE IF NOT EXISTS custom_fields (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, name TEXT NOT NULL, shortcode TEXT NOT NULL,
    apply_to TEXT NOT NULL, type TEXT NOT NULL, max_characters INTEGER NOT NULL,
    displayed TEXT NOT NULL, required INTEGER NOT NULL, is_personal INTEGER NOT NULL,
    UNIQUE (property_id, shortcode));
CREATE TABLE IF NOT EXISTS codes (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    property_ids TEXT NOT NULL, scopes TEXT NOT NULL, expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, client_id TEXT NOT NULL, property_ids TEXT NOT NULL,
    scopes TEXT NOT NULL, expires_at REAL NOT NULL, used_at REAL NOT NULL, died TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS subscriptions (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL, property_id TEXT NOT NULL, entity TEXT NOT NULL,
    action TEXT NOT NULL, url TEXT NOT NULL);
"""

FIRST_NUMBERS = {
    "booking": 7061304407766,
    "guest": 159926682,
    "room_line": 99001,
    "field": 4101,
}


def open_store(path: str) -> Store:
    """The store at a file path; ``:memory:`` keeps nothing after the end."""
    return Store(path, schema=SCHEMA, first_numbers=FIRST_NUMBERS)
