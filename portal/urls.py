"""The staff portal, REST API and webhooks by address."""
from __future__ import annotations
urlpatterns: list = []
