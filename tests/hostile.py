"""Hostile files: what comes in place of an export, or damaged. All of it invented; FAUX is no one's health card."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterable

HEADER = (
    "#,Facture,ID RAMQ,Date de Service,Début,Fin,Periode,Lieu de pratique,Secteur d'activité,Diagnostic,Code,Unités,"
    "Rôle,Élement de contexte,Montant Preliminaire,Montant payé,Doctor Info,"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalPrelAmount,"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalFinalAmount,"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalCount,Agence,Patient,Grand Total"
)


def row(
    number: int | str = 1,
    *,
    ramq: str = "",
    date: str = "2025-08-01",
    code: str = "15804",
    ctx: str = "",
    paye: str = '"49,15"',
    pat: str = '"FAUXxxxx1415 - FAUX, PATIENTE"',
    nth: int | None = None,
) -> str:
    """A line of the comma variant; `nth` numbers its identifiers when `number` is no number."""
    nth = nth or int(number)
    identifiers = (number, 900000000 + nth, ramq or 70000000000 + nth)
    service = (date, "09:05", "", "202534", "54999", "Aucun Secteur", "5301", code, "0", "1", ctx)
    doctor = '"9100001-00001 | Exemple, Ève - Omnipraticien"'
    totals = ('"1234,56"', '"1000,00"', "12", "90000")
    return ",".join(map(str, (*identifiers, *service, '"49,15"', paye, doctor, *totals, pat, '"49,15"')))


def rows(count: int = 5) -> list[str]:
    return [row(number) for number in range(1, count + 1)]


def file(lines: Iterable[str], header: str = HEADER, end: str = "\n") -> str:
    return "".join(line + end for line in (header, *lines))


def delimited(delimiter: str) -> str:
    """The control file with another delimiter; only what holds it stands in quotes."""
    lines = csv.reader((HEADER, *rows()))
    return "".join(delimiter.join(f'"{c}"' if delimiter in c else c for c in line) + "\n" for line in lines)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    return buffer.getvalue()


FILES: dict[str, Callable[[], str | bytes]] = {
    "01_ok_utf8": lambda: file(rows()),
    "02_ok_utf8_bom": lambda: "\ufeff" + file(rows()),
    "03_ok_latin1": lambda: file(rows()).encode("latin-1"),
    "04_ok_cp1252_euro_quote": lambda: file([row(ctx="l’acte œuvre")]).encode("cp1252"),
    "05_utf16le_bom": lambda: file(rows()).encode("utf-16"),
    "06_utf16_no_bom": lambda: file(rows()).encode("utf-16-le"),
    "07_mojibake_header": lambda: file(rows()).encode().decode("latin-1"),
    "08_replacement_char": lambda: file(rows()).replace("é", "\ufffd"),
    "09_mixed_encoding": lambda: file(rows(2)).encode() + row(3, ctx="é").encode("latin-1") + b"\n",
    "10_nul_bytes": lambda: file(rows()).replace("15804", "158\x0004"),
    "11_empty": lambda: b"",
    "12_bom_only": lambda: b"\xef\xbb\xbf",
    "13_header_only": lambda: file([]),
    "14_no_header": lambda: "\n".join(rows()) + "\n",
    "15_missing_column": lambda: file([line.rsplit(",", 2)[0] for line in rows()], HEADER.rsplit(",", 2)[0]),
    "16_duplicate_header": lambda: file([f"{line},x" for line in rows()], f"{HEADER},Code"),
    "17_header_case_space": lambda: file(rows(), HEADER.replace("Code", " code ")),
    "18_reordered_columns": lambda: file(["3,2,1"], "Code,Facture,#"),
    "19_semicolon": lambda: delimited(";"),
    "20_tab": lambda: delimited("\t"),
    "21_mixed_delimiters": lambda: file([*rows(2), row(3).replace(",", ";")]),
    "22_cr_only": lambda: file(rows(), end="\r"),
    "23_crlf_mixed": lambda: f"{HEADER}\r\n{row(1)}\n{row(2)}\r\n",
    "24_short_row": lambda: file([*rows(2), "3,1,2"]),
    "25_long_row": lambda: file([*rows(2), f"{row(3)},x,y"]),
    "26_unbalanced_quote": lambda: file([*rows(2), row(3, pat='"FAUXxxxx1415 - FAUX'), *rows(3)]),
    "27_quote_in_field": lambda: file([row(ctx='a"b')]),
    "28_embedded_newline": lambda: file([row(ctx='"ligne 1\nligne 2"'), row(2)]),
    "29_truncated_mid_row": lambda: file(rows())[:-60],
    "30_huge_field": lambda: file([row(ctx=f'"{"x" * 11_000_000}"')]),
    "31_many_columns": lambda: ",".join(f"c{number}" for number in range(50_000)) + "\n",
    "32_blank_lines_and_totals": lambda: file([*rows(2), "", "," * 22, row("Total", code="", nth=3)]),
    "33_repeated_header_mid": lambda: file([*rows(2), HEADER, *rows(2)]),
    "34_date_ddmmyyyy": lambda: file([row(date="01/08/2025")]),
    "35_date_impossible": lambda: file([row(date="2025-02-30")]),
    "36_date_excel_serial": lambda: file([row(date="45870")]),
    "37_amount_point_and_comma": lambda: file([row(paye='"1,234.50"')]),
    "38_amount_nan_inf": lambda: file([row(1, paye="NaN"), row(2, paye="inf"), row(3, paye="1e308")]),
    "39_amount_3_decimals": lambda: file([row(paye='"49,155"')]),
    "40_amount_negative": lambda: file([row(paye='"-49,15"')]),
    "41_excel_sci_id": lambda: file([row(ramq="1.5771E+10")]),
    "42_leading_zero_code": lambda: file([row(code="08875")]),
    "43_unicode_digits_code": lambda: file([row(code="１５８０４")]),
    "44_zero_width_in_id": lambda: file([row(ramq="15771\u200b021704")]),
    "45_bidi_override": lambda: file([row(pat='"FAUX\u202exxxx1415"')]),
    "46_formula_injection": lambda: file(
        row(number, ctx=ctx)
        for number, ctx in enumerate(("=HYPERLINK('http://x')", "@SUM(1)", "+1+cmd|' /C calc'!A0", '"\t=1+1"'), 1)
    ),
    "47_xlsx_renamed": zipped,
    "48_gzip_bomb": lambda: gzip.compress(b"0" * 50_000_000),
    "49_html_login_page": lambda: "<!DOCTYPE html><html><body>Session expirée</body></html>",
    "50_pdf": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "51_duplicate_rows": lambda: file([row(), row()]),
    "52_wrong_number_in_patient": lambda: file([row(1, pat="FAUX80010112"), row(2, pat="123456789012")]),
}


def hostile_file(name: str) -> bytes:
    """The bytes of a hostile file."""
    made = FILES[name]()
    return made if isinstance(made, bytes) else made.encode()
