import polars as pl

from dashlib.phi import Pseudonyms, fingerprint_texts
from tests.tables import cells

KEY, OTHER = Pseudonyms(b"one key"), Pseudonyms(b"another")


def test_a_person_always_has_the_same_pseudonym():
    doctors = KEY.doctors(pl.Series(["9100001", "9100002", None, "9100001"]))
    assert doctors[0] == doctors[3] != doctors[1]
    assert doctors[2] is None
    assert doctors.drop_nulls().str.contains(r"^MÉD-[0-9A-F]{10}$").all()


def test_another_key_gives_other_pseudonyms():
    patient = pl.Series(["TEST00000000"])
    assert KEY.patients(patient)[0] != OTHER.patients(patient)[0]


def test_the_key_is_not_shown():
    assert "one key" not in repr(KEY)


def test_redaction_replaces_identities_and_drops_names():
    frame = pl.DataFrame(
        {"doctor": ["9100001"], "patient": ["TEST00000000"], "patient_name": ["A, B"], "code": ["15804"]}
    )
    redacted = KEY.redacted(frame)
    assert redacted.columns == ["doctor", "patient", "code"]
    assert redacted["patient"][0].startswith("PAT-")


def test_identical_lines_have_fingerprints_of_their_own():
    same = {"rule_id": "R", "doctor": "D", "patient": None, "date_service": None, "invoice": "F", "code": "15804"}
    texts = fingerprint_texts(
        pl.DataFrame([same | {"row_number": 2}, same | {"row_number": 1}, same | {"row_number": 3, "code": "15803"}])
    )
    prints = KEY.fingerprints(texts)
    assert prints.n_unique() == 3
    assert KEY.fingerprints(texts.reverse()).to_list() == prints.reverse().to_list()


STRAY = """
    invoice      | id_ramq     | lieu_de_pratique | code    | element_de_contexte | debut_illisible
    130004509    | 15770013527 | 54321            | 15804   | G160, #AR           | 25:00
    A-12/3       |             | H2X 1Y4          | ABC     | ICEPD               | ?
    EXEMPLE, ANA | EXEMPLE ANA | Clinique Exemple | EXEMPLE, | AR; Exemple         | Exemple, Ana
"""
SHOWN = """
    invoice      | id_ramq     | lieu_de_pratique | code    | element_de_contexte | debut_illisible
    130004509    | 15770013527 | 54321            | 15804   | G160, #AR           | 25:00
    A-12/3       |             | H2X 1Y4          | ABC     | ICEPD               | ***
    ***          | ***         | ***              | ***     | ***                 | ***
"""


def test_what_is_no_number_where_one_belongs_is_masked_for_it_may_be_a_name():
    assert KEY.redacted(pl.DataFrame(cells(STRAY))).rows() == pl.DataFrame(cells(SHOWN)).rows()
