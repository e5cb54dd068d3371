"""The staff portal, the REST API and the admin by address; webhooks are answered before any address is looked up."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("portal.api_urls")),
    path("", include("portal.staff.urls")),
]
