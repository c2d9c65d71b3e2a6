"""What all widgets share in the browser."""

import pytest

pytestmark = pytest.mark.browser

# A model as anywidget hands one over, as far as `follow` asks.
MODEL = """() => {
  const listeners = {}, values = { angle: 1, point: [0, 0] };
  window.drawn = [];
  window.state = { angle: 1, point: [0, 0] };
  const model = {
    get: (name) => values[name],
    on: (event, listener) => (listeners[event] = listener),
    off: (event, listener) => listeners[event] === listener && delete listeners[event],
  };
  window.put = (name, value) => {
    values[name] = value;
    listeners[`change:${name}`]?.();
  };
  window.stop = follow(model, state, (name) => drawn.push(name));
}"""


@pytest.fixture
def page(visit, widget_site):
    page = visit(f"{widget_site[1]}/blank.html")
    page.add_script_tag(url="/elements.js")
    page.evaluate(MODEL)
    return page


def test_what_is_set_elsewhere_is_taken_and_drawn(page):
    page.evaluate("() => { put('angle', 2); put('point', [3, 4]); }")
    assert page.evaluate("[drawn, state]") == [["angle", "point"], {"angle": 2, "point": [3, 4]}]


def test_our_own_change_comes_back_and_is_left_alone(page):
    page.evaluate("() => { state.point = [3, 4]; put('point', [3, 4]); }")
    assert page.evaluate("drawn") == []


def test_a_removed_figure_follows_no_more(page):
    page.evaluate("() => { stop(); put('angle', 2); }")
    assert page.evaluate("[drawn, state.angle]") == [[], 1]
