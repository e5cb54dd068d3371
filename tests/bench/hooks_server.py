"""Portal's own server with two more addresses: nothing at all, and one raw INSERT."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
OURS, HERE = "portal.middleware.ShortForWebhooks", "tests.bench.hooks_limits.WithLimits"
settings.MIDDLEWARE = [HERE if name == OURS else name for name in settings.MIDDLEWARE]
application = get_wsgi_application()
