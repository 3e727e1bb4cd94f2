"""Django as a WSGI application: for granian in production, and mounted by asgi.py in the one-process set-up."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
application = get_wsgi_application()
