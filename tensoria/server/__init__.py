"""gunicorn and gevent: the only room that imports them.

The application is reached through WSGI's environ alone, so that any other server runs it too.
"""
