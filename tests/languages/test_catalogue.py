import pytest
from django.utils.translation import gettext, override

from tests.languages import catalogue


@pytest.fixture(scope="module")
def korean():
    return catalogue.read_po(catalogue.CATALOGUE)


@pytest.fixture(scope="module")
def used():
    return catalogue.in_code() | catalogue.in_templates()


def test_there_is_something_to_translate_in_code_and_in_templates():
    assert len(catalogue.in_code()) > 20
    assert len(catalogue.in_templates()) > 20


def test_every_text_has_its_korean(used, korean):
    missing = {msgid: path for msgid, path in used.items() if not all(korean.get(msgid, [""]))}

    assert missing == {}, "run `make messages`, then translate what it added"


def test_the_catalogue_holds_nothing_that_is_no_longer_used(used, korean):
    assert korean.keys() - used.keys() - {""} == set()


def test_korean_fills_in_the_same_values(korean):
    wrong = {
        msgid: texts
        for msgid, texts in korean.items()
        if msgid and any(catalogue.placeholders(text) != catalogue.placeholders(msgid) for text in texts)
    }

    assert wrong == {}


def test_the_compiled_catalogue_is_the_written_one(korean):
    compiled = catalogue.read_mo(catalogue.CATALOGUE.with_suffix(".mo"))

    assert compiled | {"": []} == korean | {"": []}, (
        "run `make messages`"
    )  # the header's date is left out of one


def test_django_finds_the_catalogue(korean):
    with override("ko"):
        assert gettext("Trading control room") == korean["Trading control room"][0]
