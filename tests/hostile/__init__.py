"""Requests that mean harm, or that no client in its right mind would send: tables by topic.

Each row says by hand how it is answered; `tests/test_hostile.py` sends it and looks at the rest.
"""
