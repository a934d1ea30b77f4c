import pytest

from app.catalogue import OpenStudy
from tests.app.views.conftest import button, metrics, open_page, subheaders, warnings


def test_a_link_leads_back_to_all_that_was_seen(opened: OpenStudy) -> None:
    first, second = map(str, opened.frames[3:5])
    said = {"model": "novice", "view": "Compare two", "epsilon": "0.002", "frame": first, "first": first}
    app = open_page(**said, second=second)
    assert warnings(app) == []
    assert dict(app.query_params.items()) == {**said, "second": second}
    assert app.selectbox(key="second").value == second
    assert any(label.startswith("class at ε = 0.002") for label in metrics(app))


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "oracle"),
        ("view", "nowhere"),
        ("epsilon", "7"),
        ("epsilon", "small"),
        ("frame", "nonsense"),
        ("frame", "99999"),
        ("frame", "`</script>" + "x" * 500),
    ],
)
def test_an_address_that_errs_is_answered_with_one_sentence(name: str, value: str) -> None:
    app = open_page(**{name: value})
    (said,) = warnings(app)
    usual = open_page().query_params[name]
    assert said.startswith(f"The address asks for {name} `{value.replace('`', '')[:30]}")
    assert said.endswith(f"`{usual}` is shown instead.")
    assert len(said) < 200
    assert app.query_params[name] == usual
    app.run()
    assert warnings(app) == []


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("name", ["first", "second", "dictionary", "window"])
def test_an_address_that_errs_about_a_pair_is_answered_with_one_sentence(name: str) -> None:
    asked = {"view": "Compare two", "dictionary": "topk-512-k4", name: "nonsense"}
    (said,) = warnings(open_page(**asked))
    assert said.startswith(f"The address asks for {name} `nonsense`, which this page does not have")


def test_going_back_in_the_browser_goes_back_on_the_page(opened: OpenStudy) -> None:
    app = open_page()
    before = dict(app.query_params.items())
    app.selectbox(key="frame").select(str(opened.frames[7])).run()
    for name, value in before.items():
        app.query_params[name] = value
    app.run()
    assert subheaders(app) == [f"Frame {before['frame']}"]


@pytest.mark.usefixtures("opened")
def test_a_click_that_is_faster_than_the_address_is_not_taken_for_going_back() -> None:
    app = open_page()
    before = dict(app.query_params.items())
    button(app, "What keeps it apart").click().run()
    app.query_params.clear()  # as the browser sends it that has not yet heard of the pair
    for name, value in before.items():
        app.query_params[name] = value
    button(app, "Find the smallest set").click().run()
    assert not app.exception
    assert app.query_params["view"] == "Compare two"
    assert "The exchange, applied" in subheaders(app)
