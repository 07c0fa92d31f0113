"""Forced calls. The arguments are a small model's: silly, but what the schema asks for."""

from tests.expectations.shapes import A, B, ByRelease, C, Forced

EXPECTED: dict[str, ByRelease] = {
    "forced-call-by-schema": {
        A: Forced("get_weather", '{"city":"kommunikatets"}', 27, 54),
        B: Forced("get_weather", '{"city":"kommunikatetsi"}', 27, 55),
        C: Forced("get_weather", '{"city":"gaben"}', 27, 59),
    },
}
