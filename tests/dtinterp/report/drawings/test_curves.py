"""Curves end at circles, and pictures keep off each other."""

import pytest

from dtinterp.report.drawings.curves import curve, picture_spots


def test_a_curve_leads_from_rim_to_rim_and_back_another_way():
    there, back = curve((0.0, 0.0), (100.0, 0.0), 10.0), curve((100.0, 0.0), (0.0, 0.0), 10.0)
    assert there.at(0.0) == pytest.approx((10, 0))
    assert there.at(1.0) == pytest.approx((87, 0))
    assert there.at(0.5)[1] * back.at(0.5)[1] < 0


def test_a_loop_leaves_its_circle_and_comes_back():
    loop = curve((50.0, 50.0), (50.0, 50.0), 10.0)
    assert loop.at(0.5)[1] < 30
    assert loop.path.startswith("M42 40C")


def test_pictures_keep_off_each_other_and_off_what_is_taken():
    curves = [curve((0.0, 0.0), (600.0, 0.0), 10.0), curve((0.0, 0.0), (600.0, 4.0), 10.0)]
    spots = picture_spots(curves, [60.0, 60.0], 40.0, [((300.0, 60.0), 34.0)])
    (x, y), (u, v) = spots
    assert abs(x - u) >= 60 or abs(y - v) >= 40
    assert all(abs(x - 300) >= 47 or abs(y - 60) >= 37 for x, y in spots)
