import xml.etree.ElementTree as ElementTree

import pytest
from chart import Measure, to_markdown, to_svg

SVG = "{http://www.w3.org/2000/svg}"
CPU = Measure("CPU", "ms", {"naive": 4.0, "tensoria": 1.0, "slow": 8.0})
RATE = Measure("chunks", "1/s", {"naive": 10, "tensoria": 60, "slow": 5}, less_is_better=False)
GATEWAYS = ["naive", "tensoria", "slow"]


@pytest.mark.parametrize(("measure", "ratio"), [(CPU, 4.0), (RATE, 6.0)])
def test_less_of_a_cost_and_more_of_a_yield_are_better(measure: Measure, ratio: float) -> None:
    assert measure.ratio("tensoria", "naive") == ratio


def test_the_reference_is_one() -> None:
    assert CPU.ratio("naive", "naive") == 1


def test_the_table_holds_values_and_ratios() -> None:
    assert to_markdown([CPU, RATE], ["naive", "tensoria"], "naive") == (
        "| measure | naive | tensoria |\n"
        "| --- | --- | --- |\n"
        "| CPU (ms) | 4 (1x) | 1 (4x) |\n"
        "| chunks (1/s) | 10 (1x) | 60 (6x) |\n"
    )


def test_large_numbers_are_written_out() -> None:
    large = Measure("chunks", "1/s", {"x": 154_449.4})

    assert "| 154,449 (1x) |" in to_markdown([large], ["x"], "x")


def test_bars_start_at_the_reference_and_end_in_proportion_to_the_logarithm() -> None:
    root = ElementTree.fromstring(to_svg([CPU], GATEWAYS, "naive"))
    bars = [
        (float(each.attrib["x"]), float(each.attrib["width"])) for each in root.iter(f"{SVG}rect")
    ]
    (line,) = root.iter(f"{SVG}line")
    one = float(line.attrib["x1"])
    reference, four_times_better, half_as_good = bars

    assert reference == (one, 2)
    assert four_times_better[0] == one
    assert half_as_good[0] + half_as_good[1] == pytest.approx(one)
    assert four_times_better[1] == pytest.approx(2 * half_as_good[1], abs=0.2)


def test_nothing_is_drawn_outside_the_picture() -> None:
    root = ElementTree.fromstring(to_svg([CPU, RATE], GATEWAYS, "naive"))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])

    for bar in root.iter(f"{SVG}rect"):
        x, y = float(bar.attrib["x"]), float(bar.attrib["y"])
        assert 0 <= x <= x + float(bar.attrib["width"]) <= width
        assert 0 <= y <= y + float(bar.attrib["height"]) <= height


def test_equal_gateways_can_be_drawn() -> None:
    same = Measure("CPU", "ms", {"naive": 1.0, "tensoria": 1.0})

    assert "1x</text>" in to_svg([same], ["naive", "tensoria"], "naive")


def test_names_are_escaped() -> None:
    drawn = to_svg([Measure("a < b & c", "s", {"x": 1.0})], ["x"], "x")

    assert "a < b & c" in [each.text for each in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_the_chart_has_colours_for_light_and_for_dark() -> None:
    assert "prefers-color-scheme:dark" in to_svg([CPU], GATEWAYS, "naive")
