"""The tables of the MEWS stand-in; ``seq`` is the order of creation, which pages follow backwards."""

from __future__ import annotations

from pms.simulators.shared.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS enterprises (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chain_id TEXT NOT NULL,
    name TEXT NOT NULL, timezone TEXT NOT NULL, service_id TEXT NOT NULL, starts TEXT NOT NULL,
    ends TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL,
    updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS integrations (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, enterprise_ids TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'enabled', denied TEXT NOT NULL DEFAULT '[]',
    sends_events INTEGER NOT NULL DEFAULT 1, position INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS categories (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    service_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, short TEXT NOT NULL,
    classification TEXT NOT NULL, capacity INTEGER NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS resources (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    parent_id TEXT, category_id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    floor TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL,
    updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS assignments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, category_id TEXT NOT NULL,
    resource_id TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS groups (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    name TEXT, channel_manager TEXT, channel_number TEXT, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS reservations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    service_id TEXT NOT NULL, group_id TEXT NOT NULL, account_id TEXT NOT NULL,
    account_type TEXT NOT NULL, number TEXT NOT NULL, state TEXT NOT NULL, origin TEXT NOT NULL,
    commander_origin TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL, cancelled_at REAL,
    cancellation_reason TEXT, released_at REAL, category_id TEXT NOT NULL, resource_id TEXT,
    is_locked INTEGER NOT NULL DEFAULT 0, channel_number TEXT, starts_at REAL NOT NULL,
    ends_at REAL NOT NULL, actual_starts_at REAL, actual_ends_at REAL,
    owner_checked_in INTEGER NOT NULL DEFAULT 0, any_checked_in INTEGER NOT NULL DEFAULT 0,
    all_checked_in INTEGER NOT NULL DEFAULT 0, connector_check_in INTEGER NOT NULL DEFAULT 0,
    people INTEGER NOT NULL, oddities TEXT NOT NULL DEFAULT '{}', is_pinned INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS reservations_changed ON reservations (enterprise_id, updated_at);
CREATE INDEX IF NOT EXISTS reservations_room ON reservations (resource_id, starts_at);
CREATE INDEX IF NOT EXISTS reservations_group ON reservations (group_id);
CREATE TABLE IF NOT EXISTS companionships (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    customer_id TEXT NOT NULL, group_id TEXT NOT NULL, reservation_id TEXT, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS companionships_reservation ON companionships (reservation_id);
CREATE INDEX IF NOT EXISTS companionships_group ON companionships (group_id);
CREATE INDEX IF NOT EXISTS companionships_customer ON companionships (customer_id);
CREATE TABLE IF NOT EXISTS customers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chain_id TEXT NOT NULL,
    number TEXT NOT NULL, first TEXT, last TEXT NOT NULL, email TEXT, phone TEXT, language TEXT,
    has_ota_email INTEGER NOT NULL DEFAULT 0, is_active INTEGER NOT NULL DEFAULT 1,
    merge_target_id TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    resource_id TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1, type TEXT NOT NULL,
    name TEXT NOT NULL, notes TEXT, starts_at REAL NOT NULL, ends_at REAL NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, deleted_at REAL);
CREATE TABLE IF NOT EXISTS door_tokens (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, enterprise_id TEXT NOT NULL,
    reservation_id TEXT NOT NULL, companionship_id TEXT, resource_id TEXT, type TEXT NOT NULL,
    value TEXT NOT NULL, serial_number TEXT, starts_at REAL NOT NULL, ends_at REAL NOT NULL,
    opens_bed INTEGER NOT NULL, opens_room INTEGER NOT NULL, opens_floor INTEGER NOT NULL,
    opens_building INTEGER NOT NULL, is_active INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL,
    updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS door_tokens_reservation ON door_tokens (reservation_id);
"""

FIRST_NUMBERS = {"reservation": 1052, "customer": 4201}


def open_store(path: str) -> Store:
    """The store at a file path; ``:memory:`` keeps nothing after the end."""
    return Store(path, schema=SCHEMA, first_numbers=FIRST_NUMBERS)
