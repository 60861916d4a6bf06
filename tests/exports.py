"""Exports written for tests: the 23 columns, one line at a time."""

HEADER = (
    "#;Facture;ID RAMQ;Date de Service;Début;Fin;Periode;Lieu de pratique;Secteur d'activité;Diagnostic;Code;Unités;Rôle;"
    "Élement de contexte;Montant Preliminaire;Montant payé;Doctor Info;"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalPrelAmount;"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalFinalAmount;"
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalCount;Agence;Patient;Grand Total"
)


def line(
    *,
    facture: str = "900000001",
    ramq: str = "70000000001",
    date: str = "2025-03-04",
    debut: str = "09:00",
    fin: str = "",
    lieu: str = "54999",
    code: str = "15804",
    contexte: str = "",
    prel: str = "49,15",
    paye: str = "0,00",
    doctor: str = "9100001-00001 | Exemple, Ève - Omnipraticien",
    patient: str = "TEST80010112 - EXEMPLE, PATIENTE",
) -> str:
    service = (facture, ramq, date, debut, fin, "202511", lieu, "Aucun Secteur", "5301", code, "0", "1", contexte)
    return ";".join(("1", *service, prel, paye, doctor, "0,00", "0,00", "0", "90000", patient, ""))


def export(*lines: str) -> str:
    return "\n".join((HEADER, *lines, ""))
