from decimal import Decimal

import polars as pl
import pytest

from dashlib.errors import RuleError
from dashlib.imports.codes import manual_rows
from dashlib.imports.manual import read_tariffs
from dashlib.imports.page import read_page
from dashlib.rules.base import CodeGroups
from tests.pages import MANUAL, chapter, notice, page, roles, row, table, title_row

B, C, V = (
    chapter("B — Consultation, examen et visite"),
    chapter("C — Actes diagnostiques et thérapeutiques"),
    chapter("V — Radiologie diagnostique"),
)
SHOWN = ("code", "place", "role", "kind", "tariff_value", "units", "cap")


def read(text):
    return manual_rows(read_tariffs(read_page(text)), "Manuel")


def rows(*rows_of_table, before=B):
    return read(page(before, table(*rows_of_table)))[0]


def amounts(found):
    told = found.with_columns(pl.col("tariff_value", "units", "cap").cast(pl.String)).select(SHOWN)
    return ["|".join("-" if cell is None else cell for cell in each) for each in told.iter_rows()]


def reasons(found):
    return [tuple(each) for each in found.select("code", "reason").iter_rows()]


def test_two_amounts_of_a_code_are_those_of_the_cabinet_and_of_the_etablissement():
    found = rows(row("91001", "Clientèle|>En cabinet|>En CLSC ou en GMF-U", "59,70|49,75"))
    assert amounts(found) == ["91001|Cabinet|-|fee|59.70|-|-", "91001|Établissement|-|fee|49.75|-|-"]


def test_an_amount_beside_base_units_has_the_role_of_its_column():
    found = rows(roles("1", "2"), row("92001*", "Réduction", "1&nbsp;236,00", "6*"), before=C)
    assert amounts(found) == ["92001|all|1|fee|1236.00|6.00|-"]
    assert found["custom_fields"].to_list() == ['{"plus_duration": true}']


def test_base_units_alone_are_the_anaesthetists():
    assert amounts(rows(roles("1", "2"), row("93001", "Extraction", "", "4"), before=C)) == [
        "93001|all|2|base_units|-|4.00|-"
    ]


def test_two_columns_of_dollars_have_the_roles_of_their_header():
    found = rows(roles("7", "1"), row("94001", "Crâne", "33,05", "5,75"), before=V)
    assert amounts(found) == ["94001|all|7|fee|33.05|-|-", "94001|all|1|fee|5.75|-|-"]


def test_dashes_are_the_last_code_in_another_setting():
    found = rows(
        roles("1", "2"),
        row("92002", "Abcès", "17,00", "2"),
        row("----", ">en cabinet (P.C. 13)", "24,65", "2"),
        before=C,
    )
    assert amounts(found) == ["92002|Établissement|1|fee|17.00|2.00|-", "92002|Cabinet|1|fee|24.65|2.00|-"]


def test_two_codes_of_a_cell_have_their_own_line_and_amount():
    found = rows(row("92003|92004", "en cabinet|pour chaque patient supplémentaire", "12,00|6,00"))
    assert amounts(found) == ["92003|Cabinet|-|fee|12.00|-|-", "92004|Cabinet|-|fee|6.00|-|-"]


def test_an_amount_on_a_later_row_is_the_last_codes():
    found = rows(row("91002", "Tests aux collyres", ""), row("", ">instillation de gouttes", "10,00"))
    assert amounts(found) == ["91002|all|-|fee|10.00|-|-"]
    assert found["description"].to_list() == ["Tests aux collyres – instillation de gouttes"]


def test_an_amount_in_the_other_setting_on_a_later_row_is_the_etablissements():
    found = rows(row("91003", "Depuis un cabinet", "29,85"), row("", "Depuis un CLSC", "24,87"))
    assert amounts(found) == ["91003|Cabinet|-|fee|29.85|-|-", "91003|Établissement|-|fee|24.87|-|-"]


def test_a_maximum_is_the_cap_of_the_code_above():
    assert amounts(rows(row("92005", "par test", "1,60"), row("", ">maximum", "40,00"))) == [
        "92005|all|-|fee|1.60|-|40.00"
    ]


def test_what_is_added_for_each_further_one_is_a_supplement_of_the_same_code():
    found = rows(row("92006", "un niveau", "51,76"), row("", ">chaque niveau supplémentaire", "25,88"))
    assert amounts(found) == ["92006|all|-|fee|51.76|-|-", "92006|all|-|supplement|25.88|-|-"]


def test_a_supplement_is_one_by_its_label():
    assert rows(row("91004", "supplément de responsabilité", "11,40"))["kind"].to_list() == ["supplement"]
    assert rows(row("91005", "période supplémentaire de quinze minutes", "11,40"))["kind"].to_list() == ["fee"]


def test_special_consideration_is_a_code_without_amount():
    assert amounts(rows(roles("1", "2"), row("92007", "Fistulisation", "C.S.", "5"), before=C)) == [
        "92007|all|2|base_units|-|5.00|-"
    ]


def test_a_label_says_the_titles_and_the_lines_indented_less():
    found = rows(
        title_row("EXAMEN (réf. : préambule général, règle 2.1)", heading=True),
        row("", "ordinaire", ""),
        row("", ">patient inscrit", ""),
        row("91006", ">>sans déplacement (P.G. 2.2.9 A)", "14,55"),
        row("", "complet", ""),
        row("91007", ">sans déplacement", "30,65"),
    )
    assert found["description"].to_list() == [
        "EXAMEN – ordinaire – patient inscrit – sans déplacement (P.G. 2.2.9 A)",
        "EXAMEN – complet – sans déplacement",
    ]
    assert found["custom_fields"].to_list() == ['{"indicators": ["P.G. 2.2.9 A"]}', None]


def test_titles_give_the_section_the_group_and_the_leaf_that_rules_follow():
    found, _ = read(MANUAL)
    assert sorted(CodeGroups(leaf=("Visite périodique",)).resolve(found)) == ["15819", "15820"]
    assert sorted(CodeGroups(leaf=("Visite de prise en charge",)).resolve(found)) == ["15801"]
    assert len(CodeGroups(level1_group_contains=("visites sur rendez-vous",)).resolve(found)) == 3
    assert len(CodeGroups(section_prefix=("B - CONSULTATION, EXAMEN ET VISITE",)).resolve(found)) == 3
    assert set(found["section"]) == {"B - CONSULTATION, EXAMEN ET VISITE"}


def test_titles_of_a_table_end_with_it():
    found = read(
        page(
            B, table(title_row("Éthique", heading=True)), "<p>Interruption</p>", table(row("91008", "cabinet", "9,00"))
        )
    )
    assert found[0].select("level1_group", "leaf", "place").row(0) == (None, "Interruption", "Cabinet")


def test_struck_text_and_instructions_are_not_read():
    found = rows(
        row("91009", "Visite <s>ancienne</s><ins>nouvelle</ins>", "<s>9,00</s>10,00"), notice("Voir 91010 : 12,00")
    )
    assert amounts(found) == ["91009|all|-|fee|10.00|-|-"]
    assert found["description"].to_list() == ["Visite nouvelle"]


def test_the_menu_is_not_read():
    assert read(page(table(row("91001", "Visite", "9,00"))))[0]["section"].to_list() == [None]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ([row("91001", "Visite", "7.02")], [("91001", "paragraph")]),
        ([row("91001", "Visite", "0,50")], [("91001", "implausible")]),
        ([row("91001", "Visite", "10&nbsp;000,01")], [("91001", "implausible")]),
        ([row("91001145,00", "Visite")], [("91001", "glued")]),
        ([row("91001", "Visite", "9,00|8,00|7,00")], [("91001", "crowded")] * 3 + [("91001", "contradictory")] * 3),
        ([row("91001", "Visite", "9,00 à 12")], [("91001", "unreadable")]),
        ([row("91001", "Visite", "999&nbsp;999&nbsp;999,00")], [("91001", "unreadable")]),
        ([row("91001", "Visite", "9" * 5_000 + ",00")], [("91001", "unreadable")]),
        ([row("91001", "A", "9,00"), row("91001", "A", "9,10")], [("91001", "contradictory")] * 2),
        ([title_row("Titre"), row("", "le kilomètre", "2,19")], [(None, "no_code")]),
    ],
)
def test_what_is_in_doubt_is_said_and_not_trusted(drawn, expected):
    found, suspects = read(page(B, table(row("91999", "Autre", "5,00"), *drawn)))
    assert sorted(reasons(suspects), key=str) == sorted(expected, key=str)
    assert found.filter("trusted")["code"].to_list() == ["91999"]


def test_plain_amounts_are_trusted():
    found, suspects = read(MANUAL)
    assert found["trusted"].all()
    assert suspects.is_empty()


def test_a_row_repeated_word_for_word_is_one():
    assert rows(row("91001", "Visite", "9,00", anchor="3"), row("91001", "Visite", "9,00", anchor="4")).height == 1


def test_a_row_knows_its_line_in_the_file():
    found, _ = read(MANUAL)
    lines = MANUAL.split("\n")
    assert ["15801" in lines[n - 1] for n in found.filter(code="15801")["line"]] == [True, True]


def test_amounts_are_money():
    assert rows(row("91001", "Visite", "9,05 $"))["tariff_value"].to_list() == [Decimal("9.05")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (MANUAL[: len(MANUAL) // 2], "DL-REF-010"),
        ("code;description\n91001;Visite\n", "DL-REF-011"),
        ("<html><body><p>Bonjour</p></body></html>", "DL-REF-011"),
        ("<html><body><div id=contenu><p>Bonjour</p></div></body></html>", "DL-REF-011"),
        (page(B, title="Manuel des médecins spécialistes — Rémunération à l'acte"), "DL-REF-012"),
        (page(B, title="Manuel des médecins omnipraticiens — Brochure no 1"), "DL-REF-012"),
        (page(B, "<b>" * 5_000 + "x" + "</b>" * 5_000), "DL-REF-014"),
    ],
)
def test_a_page_that_is_cut_off_or_not_of_this_manual_is_refused(text, code):
    with pytest.raises(RuleError, match=code):
        read_page(text)


@pytest.mark.parametrize("end", range(0, len(MANUAL) - 8, 211))
def test_a_page_is_refused_wherever_it_was_cut_off(end):
    with pytest.raises(RuleError, match=r"DL-REF-01[01]"):
        read_page(MANUAL[:end])


def test_entities_and_addresses_of_a_page_are_not_followed():
    entity = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    assert "etc" not in str(rows(entity, row("91001", "Visite &a;", "9,00"))["description"].to_list())
