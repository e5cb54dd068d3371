"""The table of contents of the REST API, its OpenAPI document and the page that shows it."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from keys import alerts_api
from keys.api import KeychainDoorsView, KeysView, ReleaseView
from keys.encoding_api import EncodingView
from keys.guests_api import PeopleView
from keys.past_api import QuestionsView
from keys.recovery_api import OutagesView, RecoveriesView, RecoveryRowsView
from keys.swapping_api import SwapView
from keys.tonight_api import TonightView
from locks import api as locks
from pms import api as pms
from portal.handover_api import HandoverView
from portal.staff.access import public


class NothingHere(APIView):
    """Every other address below the API: a problem document instead of a page for people."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound("There is nothing at this address. Addresses end with a slash.")


app_name = "api"
router = SimpleRouter(use_regex_path=False)
for name, view, basename in (*locks.NOUNS, *pms.NOUNS, *alerts_api.NOUNS):
    router.register(name, view, basename=basename)

router.register("outages", OutagesView, basename="outage")
router.register("recoveries", RecoveriesView, basename="recovery")

_OPEN: dict[str, Any] = {"authentication_classes": [], "permission_classes": [AllowAny]}
_KEYS: dict[str, Any] = {"get": "list", "post": "create"}
_KEY: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
_DOOR: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("property/", locks.PropertyView.as_view({"get": "read"}), name="property"),
    path("handover/", HandoverView.as_view({"get": "read"}), name="handover"),
    path("handover/take-over/", HandoverView.as_view({"post": "take"}), name="handover-take"),
    path("tonight/", TonightView.as_view({"get": "read"}), name="tonight"),
    path("keys/", KeysView.as_view(_KEYS), name="keys"),
    path("keys/<int:pk>/", KeysView.as_view(_KEY), name="key"),
    path(
        "keys/<int:pk>/explanation/", KeysView.as_view({"get": "explanation"}), name="explanation"
    ),
    path("keys/<int:pk>/revoke/", KeysView.as_view({"post": "revoke"}), name="revoke"),
    path("keys/<int:pk>/restore/", KeysView.as_view({"post": "restore"}), name="restore"),
    path(
        "keys/<int:pk>/release-times/",
        KeysView.as_view({"post": "release_times"}),
        name="release-times",
    ),
    path("keys/<int:key_id>/doors/", KeychainDoorsView.as_view(_KEYS), name="key-doors"),
    path("keys/<int:key_id>/doors/<int:pk>/", KeychainDoorsView.as_view(_DOOR), name="key-door"),
    path(
        "keys/<int:key_id>/doors/<int:pk>/try-now/",
        KeychainDoorsView.as_view({"post": "try_now"}),
        name="key-door-try-now",
    ),
    path(
        "keys/<int:key_id>/people/<int:pk>/keycard/",
        EncodingView.as_view({"get": "retrieve", "post": "create"}),
        name="keycard",
    ),
    path("doors/<int:pk>/why/", QuestionsView.as_view({"post": "why"}), name="door-why"),
    path("doors/<int:pk>/who-could-open/", QuestionsView.as_view({"get": "who"}), name="door-who"),
    path("locks/<int:pk>/swap/", SwapView.as_view({"post": "swap"}), name="lock-swap"),
    path("keychain-doors/release/", ReleaseView.as_view({"post": "release"}), name="release"),
    path(
        "outages/<int:pk>/reservations/",
        OutagesView.as_view({"get": "affected"}),
        name="outage-reservations",
    ),
    path(
        "outages/<int:pk>/dry-run/", OutagesView.as_view({"post": "dry_run"}), name="outage-dry-run"
    ),
    path(
        "outages/<int:pk>/recover/", OutagesView.as_view({"post": "start"}), name="outage-recover"
    ),
    path(
        "keys/<int:key_id>/people/<int:pk>/erase/",
        PeopleView.as_view({"post": "erase"}),
        name="person-erase",
    ),
    path(
        "keys/<int:key_id>/people/<int:pk>/export/",
        PeopleView.as_view({"get": "export"}),
        name="person-export",
    ),
    path(
        "integrations/<int:integration_id>/rooms/",
        pms.RoomsView.as_view({"get": "list"}),
        name="integration-rooms",
    ),
    path(
        "recoveries/<int:recovery_id>/rows/",
        RecoveryRowsView.as_view({"get": "list"}),
        name="recovery-rows",
    ),
    path(
        "recoveries/<int:pk>/cancel/",
        RecoveriesView.as_view({"post": "cancel"}),
        name="recovery-cancel",
    ),
    path(
        "recoveries/<int:pk>/undo/", RecoveriesView.as_view({"post": "undo"}), name="recovery-undo"
    ),
    *router.urls,
    path("schema/", public(SpectacularAPIView.as_view(**_OPEN)), name="schema"),
    path(
        "docs/",
        public(SpectacularSwaggerSplitView.as_view(url_name="api:schema", **_OPEN)),
        name="docs",
    ),
    re_path("", public(NothingHere.as_view()), name="nothing-here"),
]
