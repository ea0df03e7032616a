#!/usr/bin/env python3
"""Make the PDF documents of the sample corpus from the texts in sample_pdfs/.

The result is the same byte for byte on every run: the date is fixed, the file identifier is derived
from the content, and only fonts that every PDF reader has are used.

    pip install -r tools/requirements-sample-pdfs.txt    # in a virtual environment
    python tools/make_sample_pdfs.py                     # writes into data/
    python tools/make_sample_pdfs.py --check             # exit status 1 if a PDF is out of date

The texts use a small part of Markdown: one `#` title, `##` headings, paragraphs of one line, `-` lists and
tables. The first paragraph after the title is set as a subtitle.
"""

import argparse
import io
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Spacer, Table, TableStyle

TOOLS = Path(__file__).resolve().parent
REPOSITORY = TOOLS.parent

TARGETS = {
    "history-of-computing": "data/computing",
    "library-guide": "data/city-library",
    "travel-policy": "data/handbook",
    "weather-station-manual": "data/weather-station",
}

# Without these two every run would differ, and streams would be wrapped in ASCII85 as hardly any program does.
rl_config.invariant = 1
rl_config.useA85 = 0

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=15, spaceAfter=7)
TITLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=22, leading=27, spaceAfter=4)
SUBTITLE = ParagraphStyle("subtitle", fontName="Helvetica", fontSize=12, leading=16, spaceAfter=14, textColor=colors.grey)
HEADING = ParagraphStyle(
    "heading", fontName="Helvetica-Bold", fontSize=14, leading=18, spaceBefore=9, spaceAfter=5, keepWithNext=True
)
LIST_ITEM = ParagraphStyle("list item", parent=BODY, leftIndent=6 * mm, bulletIndent=2 * mm, spaceAfter=3)
CELL = ParagraphStyle("cell", fontName="Times-Roman", fontSize=10, leading=12.5)
HEAD_CELL = ParagraphStyle("head cell", parent=CELL, fontName="Helvetica-Bold", fontSize=9.5)

# Columns share the width by their longest cell, counted in characters, but none falls below this.
SMALLEST_COLUMN = 10


class WholeParagraph(Paragraph):
    """A paragraph that moves to the next page as a whole, so that no sentence has a page number in its middle."""

    def split(self, available_width, available_height):
        return []


class SampleDocument(BaseDocTemplate):
    """Pages with a number at the foot and an outline entry for each heading."""

    def __init__(self, target, title):
        super().__init__(
            target,
            pagesize=A4,
            leftMargin=25 * mm,
            rightMargin=25 * mm,
            topMargin=22 * mm,
            bottomMargin=24 * mm,
            title=title,
            author="Footnote contributors",
            subject="Sample document",
            creator="tools/make_sample_pdfs.py",
        )
        frame = Frame(self.leftMargin, self.bottomMargin, self.width, self.height, leftPadding=0, rightPadding=0)
        # The number is drawn after the text: some extractors keep the order of drawing.
        self.addPageTemplates(PageTemplate(frames=[frame], onPageEnd=draw_page_number))
        self.headings = 0

    def afterFlowable(self, flowable):
        if getattr(flowable, "style", None) is HEADING:
            self.headings += 1
            key = f"heading-{self.headings}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(flowable.getPlainText(), key)


def draw_page_number(canvas, document):
    canvas.saveState()
    canvas.setFont("Helvetica", 9)
    canvas.drawCentredString(A4[0] / 2, 13 * mm, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()


def table(rows, width):
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    # The second row holds the dashes that separate the head from the body.
    cells = [cells[0], *cells[2:]]
    longest = [max(SMALLEST_COLUMN, *(len(row[column]) for row in cells)) for column in range(len(cells[0]))]
    flowables = [
        [Paragraph(escape(cell), HEAD_CELL if number == 0 else CELL) for cell in row] for number, row in enumerate(cells)
    ]
    style = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
            ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.grey),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    return Table(flowables, colWidths=[width * part / sum(longest) for part in longest], style=style, spaceAfter=9)


def story(blocks, width):
    flowables = []
    for block in blocks:
        lines = block.splitlines()
        if block.startswith("## "):
            flowables.append(WholeParagraph(escape(block[3:]), HEADING))
        elif block.startswith("| "):
            flowables.append(table(lines, width))
        elif block.startswith("- "):
            flowables.extend(WholeParagraph(escape(line[2:]), LIST_ITEM, bulletText="•") for line in lines)
            flowables.append(Spacer(1, 4))
        elif len(lines) == 1:
            flowables.append(WholeParagraph(escape(block), BODY))
        else:
            raise ValueError(f"a block that is neither paragraph, list nor table: {block[:60]!r}")
    return flowables


def make(source):
    title, subtitle, *blocks = source.read_text(encoding="utf-8").strip().split("\n\n")
    title = title.removeprefix("# ")
    target = io.BytesIO()
    document = SampleDocument(target, title)
    head = [Paragraph(escape(title), TITLE), Paragraph(escape(subtitle), SUBTITLE)]
    document.build(head + story(blocks, document.width))
    return target.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; report PDFs that are out of date")
    arguments = parser.parse_args()

    outdated = 0
    for name, folder in TARGETS.items():
        made = make(TOOLS / "sample_pdfs" / f"{name}.md")
        target = REPOSITORY / folder / f"{name}.pdf"
        if target.exists() and target.read_bytes() == made:
            print(f"unchanged  {target.relative_to(REPOSITORY)}")
        elif arguments.check:
            outdated += 1
            print(f"outdated   {target.relative_to(REPOSITORY)}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(made)
            print(f"written    {target.relative_to(REPOSITORY)}")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
