"""The engines, behind one Protocol: the only place that talks to them.

Imports: requests (and urllib3, which is its transport), translate, wire, logs, errors.
"""
