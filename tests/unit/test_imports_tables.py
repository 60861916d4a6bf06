import json
from decimal import Decimal

import polars as pl
import pytest

from dashlib import imports
from dashlib.errors import NotFound, RuleError
from dashlib.imports import read_reference, read_rules
from tests.pages import MANUAL

CODES = "code;description;tariff_value;place\n"
DATED = "code;description;tariff_value;valid_from;valid_to\n"
SCRAPED = "billing_code,place,tariff_value,description,source_file,top_level,level1_group,leaf,anchor_id\n"


@pytest.fixture
def read(tmp_path):
    def opened(kind, text, encoding="utf-8"):
        path = tmp_path / "liste.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return read_reference(path, kind)

    return opened


def refusal(read, kind, text):
    with pytest.raises(RuleError) as refused:
        read(kind, text)
    return refused.value


def test_codes_are_padded_and_places_and_amounts_read(read):
    found = read("codes", CODES + "8857;Intervention clinique;59,70;cabinet\n19929;Frais;64.8;\n").rows
    shown = found.select("code", "tariff_value", "place", "trusted", "source").rows()
    assert shown == [
        ("08857", Decimal("59.70"), "Cabinet", True, "Liste importée"),
        ("19929", Decimal("64.80"), "all", True, "Liste importée"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_accents_survive_the_encodings_that_spreadsheets_write(read, encoding):
    found = read("establishments", "Code,Nom,Ville\n54321,Clinique d'été,Québec\n", encoding).rows
    assert found.select("name", "city").row(0) == ("Clinique d'été", "Québec")


def test_columns_of_its_own_go_into_custom_fields_and_flags_are_booleans(read):
    found = read("establishments", "code,name,gmf,gmfu,Catégorie\n888,Hôpital,true,non,Universitaire\n").rows
    assert found.select("code", "custom_fields").row(0) == (
        "00888",
        '{"categorie": "Universitaire", "gmf": true, "gmfu": false}',
    )


@pytest.mark.parametrize(
    "fields", ['{"gmf": NaN}', '{"gmf": 1e999}', r'{"gmf": "\u0000"}', r'{"gmf": "\ud800"}', "[" * 9000]
)
def test_fields_that_no_database_keeps_as_json_stay_text(read, fields):
    cell = '"' + fields.replace('"', '""') + '"'
    found = read("establishments", f"code;name;custom_fields\n888;A;{cell}\n").rows
    assert json.loads(found["custom_fields"].item()) == {"custom_fields": fields}


def test_a_refused_header_is_told_by_its_place_for_it_may_be_a_line(read):
    refused = refusal(read, "contexts", "TEST00000000;TEST00000000\nA;B\n")
    assert refused.code == "DL-REF-020"
    assert "TEST" not in str(refused).upper()


def test_tariffs_that_follow_each_other_do_not_contradict(read):
    found = read("codes", DATED + "91001;A;9,00;2025-01-01;2025-05-31\n91001;A;9,10;2025-06-01;\n")
    assert found.rows.height == 2


def test_contexts_are_read_in_our_form_and_in_that_of_others(read):
    ours = read("contexts", "context,description,aliases\n#g160,Sans rendez-vous,#G160|SRV\n").rows
    theirs = read(
        "contexts", "code,label_fr,kind,aliases,source,confidence\nAR,Après les heures,short,,Manuel,high\n"
    ).rows
    assert ours.select("context", "aliases").row(0) == ("G160", "#G160|SRV")
    assert theirs.select("context", "description", "custom_fields").row(0) == (
        "AR",
        "Après les heures",
        '{"confidence": "high"}',
    )


def test_holidays_are_everybodys_unless_an_establishment_is_named(read):
    found = read("holidays", "date,name,applies_to\n2025-06-24,Fête nationale,\n2025-11-11,Souvenir,888\n").rows
    assert found["applies_to"].to_list() == ["all", "00888"]


def test_an_address_list_without_ramq_numbers_is_refused_with_that_sentence(read):
    header = "region_id,region_name,numero_raw,name,addr_line1,city\n"
    refused = refusal(read, "establishments", header + '01,Région,333,"RUE A",58 RUE B,VILLE\n')
    assert refused.code == "DL-REF-025"
    assert "aucun numéro d'établissement de la RAMQ" in str(refused)


def test_every_row_of_the_scraped_table_is_taken_or_refused_with_its_reason(read):
    drawn = (
        "8857,cabinet,59.7,Titre,manuel.html,B - X,,Titre,1\n"
        "9948,all,9948145,Titre,manuel.html,B - X,,Titre,2\n"
        "15259,all,2.01,Titre,manuel.html,B - X,,Titre,3\n"
        "15259,all,33.35,Titre,manuel.html,B - X,,Titre,4\n"
        "19929,all,1.15,Titre,Brochure_no1.html,1. Entente,,Titre,5\n"
        "ABC,all,3.50,Titre,manuel.html,B - X,,Titre,6\n"
        "8859,hôpital,3.50,Titre,manuel.html,B - X,,Titre,7\n"
        "8860,all,x,Titre,manuel.html,B - X,,Titre,8\n"
        "8861,all,99999.99,Titre,manuel.html,B - X,,Titre,9"
    )
    found = read("codes", SCRAPED + drawn)
    assert (found.read, found.rows.height + found.refused.height) == (9, 9)
    assert found.refused.select("line", "reason").rows() == [
        (3, "glued"),
        (7, "code"),
        (8, "place"),
        (9, "amount"),
        (10, "implausible"),
    ]
    assert found.rows.filter("trusted")["code"].to_list() == ["08857"]
    assert set(found.suspects.select("line", "reason").rows()) == {
        (4, "paragraph"),
        (4, "contradictory"),
        (5, "contradictory"),
        (6, "brochure"),
        (6, "implausible"),
    }


@pytest.mark.parametrize(
    ("kind", "text", "code", "said"),
    [
        ("codes", "", "DL-EMPTY-001", ""),
        ("codes", CODES, "DL-REF-023", ""),
        ("codes", "description;place\nVisite;all\n", "DL-REF-024", "code"),
        ("codes", "code;code;description\n1;2;A\n", "DL-REF-020", "1, 2"),
        ("codes", "code;libelle;tarif;montant\n91001;A;9,00;9,10\n", "DL-REF-030", "tariff_value"),
        ("codes", CODES + "91001;A;9,00;all;trop\n91002;A;9,00;all\n", "DL-REF-021", "2"),
        ("codes", 'code;description\n91001;"jamais fermé\n', "DL-REF-022", "2"),
        ("codes", CODES + "91001;;9,00;all\n", "DL-REF-026", "description"),
        ("codes", CODES + "91001;A;neuf;all\n91002;B;-9,00;all\n", "DL-REF-027", "2, 3"),
        ("codes", CODES + "ABCDE;A;9,00;all\n", "DL-REF-027", "code"),
        ("codes", CODES + "91001;A;9,00;all\n91001;A;9,00;all\n", "DL-REF-028", "2, 3"),
        ("codes", CODES + "91001;A;9,00;all\n91001;A;9,10;all\n", "DL-REF-029", "2, 3"),
        ("codes", DATED + "91001;A;9,00;2025-06-01;2025-01-01\n", "DL-REF-031", "2"),
        ("codes", DATED + "91001;A;9,00;2025-01-01;\n91001;A;9,10;2025-06-01;\n", "DL-REF-029", "2, 3"),
        ("codes", DATED + "91001;A;9,00;0000-01-01;\n91002;A;9,00;-0044-01-01;\n", "DL-REF-027", "2, 3"),
        ("codes", DATED + "91001;A;9,00;+99999-01-01;\n", "DL-REF-027", "valid_from"),
        ("contexts", "context;description\nAR;A\n#ar;B\n", "DL-REF-028", "2, 3"),
        ("contexts", f"context;description\n{'A' * 61};B\n", "DL-REF-027", "context"),
        ("contexts", "context;description\nTEST00000000;B\n", "DL-REF-027", "context"),
        ("establishments", "code;name\n888;A\n00888;B\n", "DL-REF-028", "2, 3"),
        ("holidays", "date;name\n24 juin;Fête\n", "DL-REF-027", "date"),
        ("codes", b"\x00\x01\x02" * 50, "DL-", ""),
        ("codes", b"PK\x03\x04" + b"x" * 50, "DL-TYPE-001", ""),
        ("codes", CODES + "91001;Pr\ufffdsence;9,00;all\n", "DL-REF-003", "2"),
        ("codes", CODES + "91001;PrÃ©sence;9,00;all\n", "DL-REF-003", "2"),
        ("establishments", "code;name\n888;HÃ´pital\n", "DL-REF-003", "2"),
        ("codes", CODES.encode() + "91001;é;1;all\n".encode() + "91002;é;1;all\n".encode("cp1252"), "DL-ENC-004", ""),
        ("manual", "", "DL-EMPTY-001", ""),
        ("manual", MANUAL.replace("80,00", "80,00\0"), "DL-REF-002", ""),
        ("manual", MANUAL.replace("é", "Ã©"), "DL-REF-003", ""),
        ("manual", MANUAL.split("<table>")[0] + "</div></body></html>", "DL-REF-013", ""),
    ],
)
def test_a_bad_file_is_refused_with_its_code_and_where(read, kind, text, code, said):
    refused = refusal(read, kind, text)
    assert refused.code.startswith(code)
    assert refused.exit_code == 4
    assert said in str(refused)


def test_all_faults_of_a_file_are_told_at_once(read):
    refused = refusal(read, "codes", "code;description;tariff_value;valid_from\nX;A;x;x\n91001;;1,00;2025-01-01\n")
    assert [fault.facts["column"] for fault in refused.faults] == ["description", "code", "tariff_value", "valid_from"]
    assert {fault.facts["file"] for fault in refused.faults} == {"liste.csv"}


def test_no_message_quotes_a_cell(read):
    refused = refusal(read, "codes", "code;description;tariff_value\nSECRET;SECRET;SECRET\n")
    assert "SECRET" not in str(refused)


def test_a_file_that_is_too_big_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "manuel.html"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    monkeypatch.setattr(imports.gate, "read_bytes", None)
    with pytest.raises(RuleError, match="DL-REF-001") as refused:
        read_reference(path, "manual")
    assert refused.value.facts == {"file": "manuel.html", "limit": 40, "size": 200}


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="DL-FILE-002"):
        read_reference(tmp_path / "absent.csv", "codes")


def test_a_folder_is_no_reference_file(tmp_path):
    with pytest.raises(RuleError, match="DL-FILE-003"):
        read_reference(tmp_path, "codes")


def test_rules_are_a_list_or_a_single_one(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text('{"name": "A"}')
    assert read_rules(path) == [{"name": "A"}]
    path.write_text('[{"name": "A"}, {"name": "B"}]')
    assert len(read_rules(path)) == 2


@pytest.mark.parametrize("text", ["[", "[]", "3", '["A"]', "[" * 100_000])
def test_what_is_no_list_of_rules_is_refused(tmp_path, text):
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(RuleError, match="DL-REF-040"):
        read_rules(path)


def test_the_manuals_page_is_read_in_windows_encoding_too(tmp_path):
    path = tmp_path / "manuel.html"
    path.write_bytes(MANUAL.encode("cp1252"))
    assert read_reference(path, "manual").rows.filter(pl.col("leaf") == "Visite périodique").height == 4
