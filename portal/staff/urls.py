"""The screens of the hotel's staff by address."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path, reverse_lazy

from portal import demo
from portal.staff import (
    account,
    doors,
    integrations,
    key_forms,
    keys,
    log,
    settings_views,
    team,
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
    path("keys/", keys.key_list, name="keys"),
    path("keys/add/", key_forms.add_key, name="add_key"),
    path("keys/affected/", integrations.affected, name="affected"),
    path("keys/<int:key_id>/", keys.key_page, name="key"),
    path("keys/<int:key_id>/edit/", key_forms.edit_key, name="edit_key"),
    path("keys/<int:key_id>/allow/", key_forms.switch_key, name="switch_key"),
    path("keys/<int:key_id>/release-times/", key_forms.release_times, name="release_times"),
    path("keys/<int:key_id>/revoke/", key_forms.revoke, name="revoke_key"),
    path("keys/<int:key_id>/restore/", key_forms.restore, name="restore_key"),
    path("keys/<int:key_id>/doors/add/", key_forms.add_door, name="add_key_door"),
    path("keys/<int:key_id>/doors/<int:door_id>/", key_forms.edit_door, name="edit_key_door"),
    path(
        "keys/<int:key_id>/doors/<int:door_id>/remove/",
        key_forms.remove_door,
        name="remove_key_door",
    ),
    path("keys/<int:key_id>/codes/<int:credential_id>/", keys.show_code, name="show_code"),
    path(
        "keys/<int:key_id>/codes/<int:credential_id>/regenerate/",
        key_forms.regenerate,
        name="regenerate",
    ),
    path(
        "keys/<int:key_id>/people/<int:person_id>/add/",
        key_forms.add_credential,
        name="add_credential",
    ),
    path("doors/", doors.door_list, name="doors"),
    path("doors/add/", doors.add_door, name="add_door"),
    path("doors/<int:door_id>/", doors.door_page, name="door"),
    path("doors/<int:door_id>/edit/", doors.edit_door, name="edit_door"),
    path("log/", log.door_log, name="log"),
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
        "settings/integrations/<int:integration_id>/disconnect/",
        integrations.disconnect,
        name="disconnect",
    ),
    path("settings/locks/", settings_views.installation, name="installation"),
    path("settings/locks/<int:lock_id>/", settings_views.pair_lock, name="pair_lock"),
    path("demo/sign-in/", demo.sign_in, name="demo_sign_in"),
    path("demo/<str:step>/", demo.act, name="demo_step"),
]
