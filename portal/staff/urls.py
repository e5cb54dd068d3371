"""The screens of the hotel's staff by address."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path, reverse_lazy

from portal import demo
from portal.staff import (
    account,
    alerts,
    api_tokens,
    asking,
    backup_codes,
    bulk,
    discoveries,
    doors,
    foreign,
    guests,
    handover,
    integrations,
    key_adding,
    key_cards,
    key_credentials,
    key_doors,
    key_forms,
    key_messages,
    keys,
    lock_lists,
    lock_systems,
    locks,
    log,
    master_codes,
    missing,
    outages,
    recoveries,
    rooms,
    settings_views,
    swaps,
    team,
    tonight,
)
from portal.staff.access import public

urlpatterns = [
    path("", account.start, name="start"),
    path("healthz", account.healthz, name="healthz"),
    path("pulse/", account.pulse, name="pulse"),
    path("sign-in/", public(account.SignIn.as_view()), name="sign_in"),
    path("sign-out/", public(auth.LogoutView.as_view()), name="sign_out"),
    path(
        "password/reset/",
        public(
            auth.PasswordResetView.as_view(
                template_name="account/password_reset.html",
                email_template_name="account/password_reset_email.txt",
                subject_template_name="account/password_reset_subject.txt",
                success_url=reverse_lazy("password_reset_done"),
            )
        ),
        name="password_reset",
    ),
    path(
        "password/reset/sent/",
        public(
            auth.PasswordResetDoneView.as_view(template_name="account/password_reset_done.html")
        ),
        name="password_reset_done",
    ),
    path(
        "password/reset/<uidb64>/<token>/",
        public(
            auth.PasswordResetConfirmView.as_view(
                template_name="account/password_reset_confirm.html",
                success_url=reverse_lazy("password_reset_complete"),
            )
        ),
        name="password_reset_confirm",
    ),
    path(
        "password/reset/done/",
        public(
            auth.PasswordResetCompleteView.as_view(
                template_name="account/password_reset_complete.html"
            )
        ),
        name="password_reset_complete",
    ),
    path("invitation/<str:token>/", team.accept, name="invitation"),
    path("property/", account.switch_property, name="switch_property"),
    path("theme/", account.theme, name="theme"),
    path("tonight/", tonight.tonight, name="tonight"),
    path("tonight/worker.js", tonight.worker, name="tonight_worker"),
    path("handover/", handover.handover, name="handover"),
    path("handover/take/", handover.take_over, name="take_over"),
    path("handover/mail/", handover.mail, name="mail_handover"),
    path("keys/", keys.key_list, name="keys"),
    path("keys/add/", key_adding.add_key, name="add_key"),
    path("keys/bulk/", bulk.bulk_keys, name="bulk_keys"),
    path("keys/bulk/<int:change_id>/", bulk.bulk_change, name="bulk_change"),
    path("keys/bulk/<int:change_id>/cancel/", bulk.cancel_bulk, name="cancel_bulk"),
    path("keys/bulk/<int:change_id>/undo/", bulk.undo_bulk, name="undo_bulk"),
    path("keys/affected/", outages.affected, name="affected"),
    path("keys/affected/<int:outage_id>/release/", recoveries.release, name="release_outage"),
    path("keys/affected/<int:outage_id>/support/", outages.contact_support, name="contact_support"),
    path("keys/recoveries/<int:recovery_id>/", recoveries.recovery, name="recovery"),
    path("keys/recoveries/<int:recovery_id>/cancel/", recoveries.cancel, name="cancel_recovery"),
    path("keys/recoveries/<int:recovery_id>/undo/", recoveries.undo, name="undo_recovery"),
    path("keys/<int:key_id>/", keys.key_page, name="key"),
    path("keys/<int:key_id>/edit/", key_forms.edit_key, name="edit_key"),
    path("keys/<int:key_id>/allow/", key_forms.switch_key, name="switch_key"),
    path("keys/<int:key_id>/release-times/", key_forms.release_times, name="release_times"),
    path("keys/<int:key_id>/revoke/", key_forms.revoke, name="revoke_key"),
    path("keys/<int:key_id>/restore/", key_forms.restore, name="restore_key"),
    path("keys/<int:key_id>/doors/add/", key_doors.add_door, name="add_key_door"),
    path("keys/<int:key_id>/doors/<int:door_id>/", key_doors.edit_door, name="edit_key_door"),
    path("keys/<int:key_id>/doors/<int:door_id>/try/", key_doors.try_door, name="try_key_door"),
    path(
        "keys/<int:key_id>/doors/<int:door_id>/remove/",
        key_doors.remove_door,
        name="remove_key_door",
    ),
    path("keys/<int:key_id>/doors/<int:door_id>/backup/", backup_codes.give, name="give_backup"),
    path("keys/<int:key_id>/codes/<int:credential_id>/", keys.show_code, name="show_code"),
    path(
        "keys/<int:key_id>/codes/<int:credential_id>/regenerate/",
        key_credentials.regenerate,
        name="regenerate",
    ),
    path(
        "keys/<int:key_id>/people/<int:person_id>/add/",
        key_credentials.add_credential,
        name="add_credential",
    ),
    path("keys/<int:key_id>/people/<int:person_id>/erase/", guests.erase, name="erase_guest"),
    path("keys/<int:key_id>/people/<int:person_id>/export/", guests.export, name="export_guest"),
    path(
        "keys/<int:key_id>/people/<int:person_id>/keycard/",
        key_cards.encode_card,
        name="encode_card",
    ),
    path(
        "keys/<int:key_id>/codes/<int:credential_id>/send/",
        key_messages.send_code,
        name="send_code",
    ),
    path("doors/", doors.door_list, name="doors"),
    path("doors/add/", doors.add_door, name="add_door"),
    path("doors/<int:door_id>/", doors.door_page, name="door"),
    path("doors/<int:door_id>/edit/", doors.edit_door, name="edit_door"),
    path("locks/ghosts/", lock_lists.ghost_list, name="ghosts"),
    path("locks/forecast/", lock_lists.forecast, name="forecast"),
    path("locks/foreign/", foreign.foreign_list, name="foreign_codes"),
    path("locks/foreign/<int:foreign_id>/adopt/", foreign.adopt_foreign, name="adopt_foreign"),
    path("locks/foreign/<int:foreign_id>/remove/", foreign.remove_foreign, name="remove_foreign"),
    path("locks/backups/", backup_codes.ledger, name="backup_codes"),
    path("locks/<int:lock_id>/", locks.lock_page, name="lock"),
    path("locks/<int:lock_id>/swap/", swaps.swap_lock, name="swap_lock"),
    path("locks/<int:lock_id>/reset/", swaps.was_reset, name="was_reset"),
    path("locks/<int:lock_id>/read/", locks.read_lock, name="read_lock"),
    path("locks/<int:lock_id>/clock/", locks.sync_clock, name="sync_clock"),
    path("locks/<int:lock_id>/master-code/", master_codes.change, name="master_code"),
    path("locks/<int:lock_id>/unlock/", locks.unlock, name="unlock"),
    path("locks/<int:lock_id>/try/", locks.try_lock, name="try_lock"),
    path("log/", log.door_log, name="log"),
    path("log/why/", asking.why, name="why"),
    path("log/who/", asking.who_could_open, name="who_could_open"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/preferences/", alerts.alert_preferences, name="alert_preferences"),
    path("settings/", settings_views.settings_start, name="settings"),
    path("settings/property/", settings_views.property_settings, name="property_settings"),
    path("settings/team/", team.team, name="team"),
    path("settings/team/invite/", team.invite, name="invite"),
    path(
        "settings/team/invitations/<int:invitation_id>/withdraw/",
        team.withdraw,
        name="withdraw_invitation",
    ),
    path("settings/team/<int:member_id>/", team.member, name="member"),
    path("settings/team/<int:member_id>/deactivate/", team.deactivate, name="deactivate"),
    path("settings/integrations/", integrations.integrations, name="integrations"),
    path("settings/integrations/callback/", integrations.callback, name="pms_callback"),
    path("settings/integrations/<str:adapter>/connect/", integrations.connect, name="connect"),
    path(
        "settings/integrations/<int:integration_id>/codes/",
        integrations.show_codes,
        name="show_codes",
    ),
    path("settings/integrations/<int:integration_id>/missing/", missing.missing, name="missing"),
    path(
        "settings/integrations/<int:integration_id>/disconnect/",
        integrations.disconnect,
        name="disconnect",
    ),
    path("settings/integrations/<int:integration_id>/rooms/", rooms.rooms, name="rooms"),
    path(
        "settings/integrations/<int:integration_id>/rooms/<int:room_id>/",
        rooms.room_doors,
        name="room_doors",
    ),
    path(
        "settings/integrations/<int:integration_id>/rooms/doors/",
        rooms.make_room_doors,
        name="make_room_doors",
    ),
    path("settings/lock-systems/", lock_systems.lock_systems, name="lock_systems"),
    path(
        "settings/lock-systems/<str:driver>/connect/",
        lock_systems.connect_locks,
        name="connect_locks",
    ),
    path(
        "settings/lock-systems/<int:account_id>/reconnect/",
        lock_systems.reconnect_locks,
        name="reconnect_locks",
    ),
    path(
        "settings/lock-systems/<int:account_id>/test/", lock_systems.test_locks, name="test_locks"
    ),
    path(
        "settings/lock-systems/<int:account_id>/disconnect/",
        lock_systems.disconnect_locks,
        name="disconnect_locks",
    ),
    path(
        "settings/lock-systems/<int:account_id>/discover/", discoveries.discovery, name="discovery"
    ),
    path("settings/lock-systems/<int:account_id>/add/", discoveries.add_locks, name="add_locks"),
    path("settings/tokens/", api_tokens.api_tokens, name="api_tokens"),
    path("settings/tokens/<int:token_id>/revoke/", api_tokens.revoke, name="revoke_api_token"),
    path("settings/locks/", settings_views.installation, name="installation"),
    path("settings/locks/<int:lock_id>/", settings_views.pair_lock, name="pair_lock"),
    path("demo/sign-in/", demo.sign_in, name="demo_sign_in"),
    path("demo/<str:step>/", demo.act, name="demo_step"),
]
