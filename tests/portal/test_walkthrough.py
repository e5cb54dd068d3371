"""The walkthrough tells the whole article, and reads and sends pages as a browser would."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.walkthrough import story
from portal.walkthrough.article import (
    ALLOW_TOOLTIP,
    ARTICLE,
    ERROR_4117,
    PENDING_TAG,
    PENDING_TOOLTIP,
    SENTENCES,
    quoted,
)
from portal.walkthrough.pages import Browser, NotTrue, Page, _typed, read
from portal.walkthrough.telling import TELLINGS, tells

TEXT = " ".join((Path(__file__).parent / "article.txt").read_text().split())


def test_the_spine_is_the_article_word_for_word_and_in_order():
    assert " ".join(item.text for item in ARTICLE) == TEXT


def test_every_sentence_has_a_telling_and_every_telling_a_sentence():
    assert story.UNTOLD == []
    assert set(TELLINGS) == {one.text for one in SENTENCES}
    assert len(set(TELLINGS.values())) == len(SENTENCES)


def test_no_sentence_is_told_twice_and_none_that_is_not_there():
    for wrong in ("Key remains inactive.", "There is a bulk fix", "The credential"):
        with pytest.raises(ValueError, match=wrong):
            tells(wrong)


def test_every_sentence_about_mews_is_seen_with_mews_and_with_cloudbeds():
    of_each = [one for one in SENTENCES if one.of_each_pms]
    assert [one for one in SENTENCES if "MEWS" in one.text and one not in of_each] == []
    assert len(of_each) == 8


@pytest.mark.parametrize("words", [PENDING_TAG, PENDING_TOOLTIP, ALLOW_TOOLTIP, ERROR_4117])
def test_the_words_that_pages_must_show_are_the_articles(words):
    assert words in TEXT
    assert quoted("The credentials haven’t") in TEXT


PAGE = """<!DOCTYPE html><html><body><p>Out<p>side</p>
<form method="post" action="/there"><input type="hidden" name="token" value="t&amp;1">
<input name="name" value="Ada"><input type="checkbox" name="allow" checked>
<input type="checkbox" name="linked" value="yes"><input type="radio" name="r" value="1">
<input type="radio" name="r" value="2" checked><input name="elsewhere" form="no-form" value="x">
<select name="role"><option value="a">A</option><option value="b" selected>B</option></select>
<textarea name="why">So &lt;it&gt; is</textarea>
<button aria-hidden="true">Save</button><button name="go" value="1">Save</button></form>
<a href="/keys/">Keys <span>of guests</span></a></body></html>"""


def test_a_form_sends_what_it_shows_and_what_was_changed():
    form = read(PAGE).one("form")
    assert _typed(form, {}) == {
        "token": ["t&1"],
        "name": ["Ada"],
        "allow": ["on"],
        "r": ["2"],
        "role": ["b"],
        "why": ["So <it> is"],
    }
    changed = _typed(form, {"allow": False, "linked": True, "name": "Bea"})
    assert (changed["linked"], changed["name"], "allow" in changed) == (["yes"], ["Bea"], False)


def test_only_what_is_on_the_page_can_be_typed_or_pressed():
    with pytest.raises(NotTrue, match="no field"):
        _typed(read(PAGE).one("form"), {"code": "1234"})
    with pytest.raises(NotTrue, match="no link"):
        _page().follow("Doors")
    with pytest.raises(NotTrue, match="no button"):
        _page().press("Delete")


def test_elements_are_found_by_tag_words_and_attributes():
    root = read(PAGE)
    assert root.one("a").text == "Keys of guests"
    assert root.one("button", "Save", name="go").around("form")["action"] == "/there"
    with pytest.raises(NotTrue):
        root.one("button", "Save", name="stay")


def _page() -> Page:
    class Answer:
        url, text = "http://127.0.0.1:9/here", PAGE

    return Page(Browser("http://127.0.0.1:9"), Answer())
