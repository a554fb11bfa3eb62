import pytest
from django.utils.translation import gettext, override

from tests.languages import catalogue


@pytest.fixture(scope="module")
def korean():
    return catalogue.read_po(catalogue.CATALOGUE)


@pytest.fixture(scope="module")
def used():
    return catalogue.in_code() | catalogue.in_templates()


def test_code_and_templates_have_texts_to_translate():
    assert len(catalogue.in_code()) > 20
    assert len(catalogue.in_templates()) > 20


def test_every_text_has_a_korean_translation(used, korean):
    missing = {msgid: path for msgid, path in used.items() if not all(korean.get(msgid, [""]))}

    assert missing == {}, "run `make messages`, then translate what it added"


def test_catalogue_has_no_unused_texts(used, korean):
    assert korean.keys() - used.keys() - {""} == set()


def test_korean_texts_have_the_same_placeholders(korean):
    wrong = {
        msgid: texts
        for msgid, texts in korean.items()
        if msgid and any(catalogue.placeholders(text) != catalogue.placeholders(msgid) for text in texts)
    }

    assert wrong == {}


def test_compiled_catalogue_equals_the_source(korean):
    compiled = catalogue.read_mo(catalogue.CATALOGUE.with_suffix(".mo"))

    assert compiled | {"": []} == korean | {"": []}, (
        "run `make messages`"
    )  # the header's date is left out of one


def test_django_finds_the_catalogue(korean):
    with override("ko"):
        assert gettext("Trading control room") == korean["Trading control room"][0]
