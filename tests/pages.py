"""Pages with the markup of the official manual, on invented codes and amounts."""

TITLE = "Manuel des médecins omnipraticiens — Rémunération à l'acte"


def page(*pieces: str, title: str = TITLE) -> str:
    body = "\n".join(pieces)
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="UTF-8"></head><body>\n'
        '<div id="menuGauche"><h2>B — Menu</h2></div>\n'
        f'<div id="contenu">\n<h1 class="TitreOnglet">{title}</h1>\n{body}\n</div>\n</body></html>\n'
    )


def chapter(text: str) -> str:
    return f'<div><h2 class="Titre1Opera"><strong>{text}</strong></h2></div>'


def table(*rows: str) -> str:
    return f"<table><tbody>\n{'\n'.join(rows)}\n</tbody></table>"


def row(code: str, label: str, *amounts: str, anchor: str = "1") -> str:
    """A row of a table; lines of a cell are separated by |, and > before a label indents it by 9 points."""
    cells = "".join(f"<td><div>{_lines(amount, 'align=right')}</div></td>" for amount in amounts)
    return f"<tr id={anchor}><td><br></td><td><div>{_codes(code)}</div></td><td><div>{_label(label)}</div></td>{cells}</tr>"


def title_row(text: str, *, heading: bool = False) -> str:
    said = f'<h2 class="Titre1Opera"><strong>{text}</strong></h2>' if heading else f"<p><strong>{text}</strong></p>"
    return f"<tr id=2><td><br></td><td colspan=2><div>{said}</div></td><td><br></td></tr>"


def roles(*names: str) -> str:
    return row("", "", *(f"R = {name}" for name in names))


def notice(text: str) -> str:
    return f'<tr><td></td><td></td><td><table class="avis"><tr><td class="avisDroit"><p>{text}</p></td></tr></table></td></tr>'


def _codes(code: str) -> str:
    return "".join(f"<p><strong>{each}</strong></p>" for each in code.split("|") if each) or "<br>"


def _lines(text: str, attributes: str = "") -> str:
    return "".join(f"<p {attributes}>{line}</p>" for line in text.split("|") if line) or "<br>"


def _label(text: str) -> str:
    lines = [(line.lstrip(">"), 9 * (len(line) - len(line.lstrip(">")))) for line in text.split("|") if line]
    return "".join(f'<p style="margin-left: {points}pt">{line}</p>' for line, points in lines) or "<br>"


VISITS = table(
    title_row("Visites sur rendez-vous (patient de moins de 80 ans)", heading=True),
    title_row("Patient vulnérable inscrit"),
    title_row("Visite de prise en charge"),
    row("15801", "Clientèle de moins de 500|>En cabinet|>En CLSC ou en GMF-U", "80,00|60,00"),
    title_row("Visite périodique"),
    row("15819", "Clientèle de moins de 500|>En cabinet|>En CLSC ou en GMF-U", "90,00|70,00"),
    row("15820", "Clientèle de 500 ou plus|>En cabinet|>En CLSC ou en GMF-U", "95,00|75,00"),
)
MANUAL = page(chapter("B — Consultation, examen et visite"), VISITS)
