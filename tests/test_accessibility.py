"""axe looks at a few words in each dress, and finds the one that cannot be read."""

import pytest
from accessibility import check_accessible

pytestmark = pytest.mark.browser

WORDS = " ".join(f"<b>word{number}</b> <a href=#>link</a>" for number in range(200))


@pytest.mark.parametrize(
    "broken",
    [
        '<b style="color: #bbb">lost</b>',
        '<b style="background: #555">lost</b>',
        '<b style="opacity: 0.3">lost</b>',
        '<i style="opacity: 0.3"><b>lost</b></i>',
        '<i style="background: #555"><b>lost</b></i>',
        '<b style="position: absolute; background: #555">lost</b>',
        '<input aria-label="lost" value="lost" style="color: #ccc">',
        '<a href=# style="text-decoration: none">lost</a>',
        "<img src='data:,'>",
    ],
)
def test_what_cannot_be_read_is_found_among_much_that_can(browser, broken):
    page = browser.new_page()
    frame = '<!doctype html><html lang="en"><title>t</title><main><h1>t</h1><p>{}</p></main>'
    page.set_content(frame.format(WORDS))
    check_accessible(page)
    page.set_content(frame.format(f"{WORDS} {broken} {WORDS}"))
    with pytest.raises(AssertionError, match="Found 1 accessibility violation"):
        check_accessible(page)
    page.close()


def test_a_part_of_a_page_is_judged_by_its_own_words(browser):
    page = browser.new_page()
    pale = '<b style="color: #bbb">pale</b> ' * 5
    page.set_content(f'<html lang="en"><title>t</title><p>{pale}</p><main>{pale}</main>')
    with pytest.raises(AssertionError, match="color-contrast"):
        check_accessible(page, within="main")
    page.close()


def test_colours_can_be_judged_alone(browser):
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"></main>')
    check_accessible(page, colours_alone=True)
    page.set_content('<html lang="en"><title>t</title><main><p style="color: #bbb">pale</p></main>')
    with pytest.raises(AssertionError, match="color-contrast"):
        check_accessible(page, colours_alone=True)
    page.close()
