import polars as pl
import pytest
from hypothesis import given

from dashlib.records import SCHEMA, prepare
from tests.oracle.base import by_time, kept_first, lines_of
from tests.property.files import files, lines
from tests.tables import frame, records


def prepared(column, *texts):
    return prepare(frame([{"row_number": number, column: text} for number, text in enumerate(texts, 1)]))


@pytest.mark.parametrize(
    ("exported", "doctor", "name"),
    [
        ("1999123-10456 | Tremplin, Zoé - Omnipraticien", "1999123", "Tremplin, Zoé"),
        ("1999123 | Tremplin-Roy, Zoé - Omnipraticien", "1999123", "Tremplin-Roy, Zoé"),
        ("1999123-10456", "1999123", None),
        ("  D1 ", "D1", None),
        ("19991234 | A", "19991234 | A", "A"),
        ("   ", None, None),
        (None, None, None),
    ],
)
def test_a_doctor_is_the_licence_number_or_the_whole_text(exported, doctor, name):
    assert prepared("doctor", exported).select("doctor", "doctor_name").row(0) == (doctor, name)


@pytest.mark.parametrize(
    ("exported", "patient", "nam", "name"),
    [
        ("TEST22510112 - TREMPLIN, ZOÉ", "TEST22510112", "TEST22510112", "TREMPLIN, ZOÉ"),
        ("TEST22510112 - ROY - TREMPLIN, ZOÉ", "TEST22510112", "TEST22510112", "ROY - TREMPLIN, ZOÉ"),
        (" TEST22510112 ", "TEST22510112", "TEST22510112", None),
        ("TESTxxxx0112 - A", "TESTxxxx0112 - A", "TESTxxxx0112", "A"),
        ("test22510112 - A", "test22510112 - A", "test22510112", "A"),
        (" - A", "- A", "", "A"),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_a_patient_is_the_full_card_number_or_the_whole_text(exported, patient, nam, name):
    assert prepared("patient", exported).select("patient", "nam", "patient_name").row(0) == (patient, nam, name)


@pytest.mark.parametrize(
    ("exported", "lieu", "place"),
    [
        ("54999", "54999", "cabinet"),
        ("5499", "05499", "etablissement"),
        ("549", "00549", "etablissement"),
        (" 00123 ", "00123", "etablissement"),
        ("H2X 1Y4", "H2X 1Y4", "etablissement"),
        ("5A", "5A", "cabinet"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_the_first_digit_of_the_padded_place_decides(exported, lieu, place):
    assert prepared("lieu_de_pratique", exported).select("lieu", "place").row(0) == (lieu, place)


@pytest.mark.parametrize(
    ("exported", "contexts"),
    [
        ("#G160", "|G160|"),
        ("g160", "|G160|"),
        ("85, #G160 ,ar", "|85|G160|AR|"),
        ("#G160 #AR", "|G160|AR|"),
        ("85;77|AR", "|85|77|AR|"),
        ("SÉANCE DIFFÉRENTE,85", "|SÉANCE DIFFÉRENTE|85|"),
        ("A#B", "|A#B|"),
        ("##G160", "|G160|"),
        (" , # ;", None),
        ("", None),
        (None, None),
    ],
)
def test_contexts_are_split_and_compared_in_one_form(exported, contexts):
    assert prepared("element_de_contexte", exported)["contexts"].to_list() == [contexts]


@pytest.mark.parametrize(
    ("exported", "debut_min", "fin_min"),
    [
        ("00:00", 0, 0),
        ("9:05", 545, 545),
        ("23:59", 1439, 1439),
        ("24:00", None, 1440),
        ("24:01", None, None),
        ("12:60", None, None),
        ("9h05", None, None),
        ("-1:00", None, None),
        (None, None, None),
    ],
)
def test_times_are_minutes_after_midnight(exported, debut_min, fin_min):
    assert prepared("debut", exported)["debut_min"].to_list() == [debut_min]
    assert prepared("fin", exported)["fin_min"].to_list() == [fin_min]


@pytest.mark.parametrize(
    ("exported", "code"), [("8857", "08857"), ("08857", "08857"), (" 57 ", "00057"), ("", None), (None, None)]
)
def test_codes_are_five_digits(exported, code):
    assert prepared("code", exported)["code"].to_list() == [code]


def test_money_is_counted_in_cents_and_only_a_positive_amount_is_paid():
    lines = prepare(records("montant_preliminaire | montant_paye\n 49,15 | 0,01\n -0,10 | -49,15\n - | -\n 0 | 0"))
    assert lines.select("prel_cents", "paid_cents", "is_paid").rows() == [
        (4915, 1, True),
        (-10, -4915, False),
        (None, None, False),
        (0, 0, False),
    ]


def test_no_sector_is_no_sector_and_blank_text_is_absent():
    lines = prepare(records("secteur_activite | facture | role\n AUCUN Secteur | \t | 1\n Urgence | F1 |"))
    assert lines.select("secteur_activite", "facture", "role").rows() == [(None, None, "1"), ("Urgence", "F1", None)]


@pytest.mark.parametrize(
    ("nam", "served", "months"),
    [
        ("TEST25031012", "2025-03-10", 0),
        ("TEST25031012", "2025-04-09", 0),
        ("TEST25031012", "2025-04-10", 1),
        ("TEST45531012", "2025-03-10", 960),
        ("TEST45531012", "2025-03-09", 959),
        ("TEST24022912", "2025-02-28", 11),
        ("TEST24022912", "2025-03-01", 12),
        ("TEST25031112", "2025-03-10", 1199),
        ("TEST15040112", "2025-03-31", 119),
        ("TEST15039912", "2025-03-31", None),
        ("TEST23022912", "2025-03-31", None),
        ("TEST00022912", "1910-02-28", None),
        ("TEST23133112", "2025-03-31", None),
        ("TEST23500112", "2025-03-31", None),
        ("TESTxxxx0112", "2025-03-31", None),
        ("TEST2303101", "2025-03-31", None),
    ],
)
def test_age_is_in_completed_months_and_the_younger_of_two(nam, served, months):
    lines = prepare(records(f"patient | date_de_service\n {nam} | {served}"))
    assert lines["age_months"].to_list() == [months]


def test_groups_hold_lines_that_agree_in_every_part_and_no_line_that_lacks_one():
    lines = prepare(
        records(
            """
            doctor | patient | date_de_service
            D1     | P1      | 2025-01-01
            D1     | P1      | 2025-01-02
            D1     | P2      | 2025-01-01
            D2     | P1      | 2025-01-01
            D1     | P1      | 2025-01-01
            -      | P1      | 2025-01-01
            D1     | -       | 2025-01-01
            D1     | P1      | -
            """
        )
    )
    assert numbered(lines, "doctor_day") == [0, 1, 0, 2, 0, None, 0, None]
    assert numbered(lines, "patient_day") == [0, 1, 2, 0, 0, 0, None, None]
    assert numbered(lines, "patient_doctor") == [0, 0, 1, 2, 0, None, None, 0]
    assert numbered(lines, "patient_doctor_day") == [0, 1, 2, 3, 0, None, None, None]


def test_lines_stand_in_order_of_date_start_and_line_paid_lines_first():
    lines = prepare(
        records(
            """
            date_de_service | debut | montant_paye
            2025-01-02      | 08:00 | 0
            2025-01-01      | -     | 0
            2025-01-01      | 09:00 | 0
            2025-01-01      | 00:00 | 0
            2025-01-03      | -     | 10
            2025-01-01      | 09:00 | 0
            """
        )
    )
    assert lines.sort("time_no")["row_number"].to_list() == [4, 3, 6, 2, 1, 5]
    assert lines.sort("order_no")["row_number"].to_list() == [5, 4, 3, 6, 2, 1]


@pytest.mark.parametrize(
    ("paid", "taken_back"),
    [
        (["10", "-10", "10"], [1, 2]),
        (["10", "10", "-10"], [2, 3]),
        (["10", "10", "-10", "-10"], [1, 2, 3, 4]),
        (["-10", "10"], [1]),
        (["10", "-9"], [2]),
        (["0", "-10", "-"], [2]),
    ],
)
def test_a_reversal_takes_back_the_latest_line_of_its_amount(paid, taken_back):
    lines = prepare(frame([line(number, amount) for number, amount in enumerate(paid, 1)]))
    assert lines.filter("reversed")["row_number"].to_list() == taken_back


@pytest.mark.parametrize("part", ["doctor", "patient", "date_de_service", "code"])
def test_a_reversal_takes_back_a_line_of_the_same_service_only(part):
    other = {"doctor": "D2", "patient": "P2", "date_de_service": "2025-03-05", "code": "15801"}
    lines = prepare(frame([line(1, "10") | {part: other[part]}, line(2, "-10")]))
    assert lines.filter("reversed")["row_number"].to_list() == [2]


def test_an_empty_file_can_be_prepared():
    empty = prepare(pl.DataFrame(schema=SCHEMA))
    assert empty.height == 0
    assert {"doctor_day", "contexts", "order_no", "reversed"} <= set(empty.columns)


@given(files(lines).map(lambda exported: exported.drop_nulls("date_de_service")))
def test_lines_mean_what_they_mean_read_one_by_one(exported):
    naive = lines_of(exported)
    read = prepare(exported)
    for name in ("doctor", "patient", "nam", "code", "lieu", "place", "debut_min", "fin_min", "is_paid", "reversed"):
        assert read[name].to_list() == [one[name] for one in naive], name
    assert [set((text or "|").strip("|").split("|")) - {""} for text in read["contexts"]] == [
        one["contexts"] for one in naive
    ]
    assert read.sort("order_no")["row_number"].to_list() == [one["row_number"] for one in sorted(naive, key=kept_first)]
    assert read.sort("time_no")["row_number"].to_list() == [one["row_number"] for one in sorted(naive, key=by_time)]


def numbered(lines, group):
    met = []
    for key in lines[group]:
        if key is not None and key not in met:
            met.append(key)
    return [None if key is None else met.index(key) for key in lines[group]]


def line(number, paid):
    return {
        "row_number": number,
        "code": "15804",
        "doctor": "D1",
        "patient": "P1",
        "date_de_service": "2025-03-04",
        "montant_paye": None if paid == "-" else paid,
    }
