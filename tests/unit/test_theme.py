import itertools
import re

import pytest
from coloraide import Color

from dashlib import charts

TONES = ("error", "warning", "opportunity", "info", "neutral")
FILLS = tuple(f"{tone}-fill" for tone in TONES)
STYLES = charts.THEME.with_name("dashlib.css")


def seen(colour, eyes):
    return Color(colour).filter(eyes, method="machado") if eyes else Color(colour)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*TONES, "ink", "muted", "brand"])
def test_marks_and_text_stand_out_from_their_card(theme, name):
    colours = charts.palette(theme)
    assert Color(colours[name]).contrast(colours["card"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "brand"])
def test_text_stands_out_from_the_page(theme, name):
    colours = charts.palette(theme)
    assert Color(colours[name]).contrast(colours["page"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*FILLS, "control"])
def test_areas_and_controls_stand_out_from_their_card(theme, name):
    colours = charts.palette(theme)
    assert Color(colours[name]).contrast(colours["card"]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eyes", [None, "protan", "deutan", "tritan"])
def test_any_two_tones_can_be_told_apart_by_every_eye(theme, eyes):
    colours = charts.palette(theme)
    pairs = itertools.combinations((seen(colours[tone], eyes) for tone in TONES), 2)
    assert min(one.delta_e(other, method="2000") for one, other in pairs) >= 12


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_on_the_strip_can_be_read(theme):
    colours = charts.palette(theme)
    assert Color(colours["strip-ink"]).contrast(colours["strip"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_steps_of_a_rate_go_one_way(theme):
    colours = charts.palette(theme)
    light = [Color(colours[f"step-{n}"]).luminance() for n in range(1, 6)]
    assert light == sorted(light, reverse=theme == "light")


def test_every_colour_that_is_used_is_of_the_theme():
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLES.read_text("utf-8")))
    assert used - set(charts.palette()) == {"gap", "radius"}
    assert not re.search(r"#[0-9A-Fa-f]{3,8}\b", STYLES.read_text("utf-8").replace("#fff; }", ""))
