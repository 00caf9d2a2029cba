"""Files of every format that Converse takes, made in memory: small, well-formed, and each with known text."""

from __future__ import annotations

import io
import struct

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512
# Streams below this lie in another place of a compound file, which nothing here needs.
LEAST_STREAM = 4096


def pdf(*pages: str) -> bytes:
    """A PDF with one line of text on each page."""
    return drawn_pdf(*(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" for text in pages))


def drawn_pdf(*pages: str, encrypted: bool = False) -> bytes:
    """A PDF whose pages are drawn by these commands; `encrypted`: under a password that nobody knows."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids: list[str] = []
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    for commands in pages:
        stream = commands.encode("latin-1")
        page = len(objects) + 1
        kids.append(f"{page} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {page + 1} 0 R "
            f"/Resources << /Font << /F1 {page + 2} 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
        objects.append(font)
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>".encode()
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    key = b"<" + b"5a" * 32 + b">"
    lock = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O %b /U %b >> /ID [%b %b]" % (key, key, key, key)
    out.write(b"trailer << /Size %d /Root 1 0 R %b >>\n" % (len(objects) + 1, lock if encrypted else b""))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def ruled(rows: list[list[str]], *, above: str = "", below: str = "") -> str:
    """Commands that draw a table with lines around its cells, and a line of text above and below it."""
    width, height, left, top = 100, 20, 72, 700
    bottom, right = top - height * len(rows), left + width * len(rows[0])
    commands = [f"{left} {top - height * n} m {right} {top - height * n} l S" for n in range(len(rows) + 1)]
    commands += [f"{left + width * n} {top} m {left + width * n} {bottom} l S" for n in range(len(rows[0]) + 1)]
    texts = [(left, top + 20, above), (left, bottom - 30, below)]
    for y, row in enumerate(rows, 1):
        texts += [(left + width * x + 5, top - height * y + 5, cell) for x, cell in enumerate(row)]
    texts.sort(key=lambda one: (-one[1], one[0]))
    commands += [f"BT /F1 10 Tf {x} {y} Td ({text}) Tj ET" for x, y, text in texts if text]
    return "\n".join(commands)


def pptx(*slides: tuple[str, str], notes: str = "") -> bytes:
    """Slides with a title and a text each; the notes are the first one's."""
    from pptx import Presentation

    deck = Presentation()
    for number, (title, text) in enumerate(slides):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text_frame.text = title
        slide.placeholders[1].text_frame.text = text
        if notes and not number:
            slide.notes_slide.notes_text_frame.text = notes
    return saved(deck.save)


def docx(heading: str, text: str, rows: list[list[str]]) -> bytes:
    """A Word document: a heading, a paragraph, a table."""
    from docx import Document

    document = Document()
    document.add_heading(heading, 2)
    document.add_paragraph(text)
    table = document.add_table(len(rows), len(rows[0]))
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, value in zip(row.cells, cells, strict=True):
            cell.text = value
    return saved(document.save)


def xlsx(sheets: dict[str, list[list[object]]]) -> bytes:
    """A workbook."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return saved(book.save)


def saved(save: object) -> bytes:
    out = io.BytesIO()
    save(out)  # type: ignore[operator]
    return out.getvalue()


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file (OLE) of these streams: a header, one sector of allocation table, one of directory, the data."""
    padded = {
        name: data.ljust(max(LEAST_STREAM, -(-len(data) // SECTOR) * SECTOR), b"\0") for name, data in streams.items()
    }
    table = [FAT, END]
    entries = [_entry("Root Entry", 5, END, 0, child=1)]
    body = b""
    for number, (name, data) in enumerate(padded.items(), 1):
        first, count = len(table), len(data) // SECTOR
        table += [*range(first + 1, first + count), END]
        more = number + 1 if number < len(padded) else FREE
        entries.append(_entry(name, 2, first, len(data), right=more))
        body += data
    assert len(table) <= SECTOR // 4
    assert len(entries) <= 4
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, LEAST_STREAM, END, 0, END, 0)
    header += struct.pack("<I", 0) + b"\xff" * (4 * 108)
    allocation = struct.pack(f"<{len(table)}I", *table).ljust(SECTOR, b"\xff")
    return header + allocation + b"".join(entries).ljust(SECTOR, b"\0") + body


def _entry(name: str, kind: int, start: int, size: int, *, child: int = FREE, right: int = FREE) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(encoded), kind, 1, FREE, right, child)
        + bytes(16 + 4 + 16)
        + struct.pack("<IQ", start, size)
    )


def doc(*pieces: str, flags: int = 0x0200) -> bytes:
    """A Word 97 document; pieces of ASCII lie in one byte each, others in two."""
    word = bytearray(1024)
    struct.pack_into("<HH", word, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H", word, 0x0A, flags)
    struct.pack_into("<I", word, 0x4C, sum(map(len, pieces)))
    positions, places = [0], []
    for piece in pieces:
        wide = not piece.isascii()
        places.append(len(word) if wide else 0x4000_0000 | (len(word) * 2))
        word += piece.encode("utf-16-le") if wide else piece.encode()
        positions.append(positions[-1] + len(piece))
    plc = struct.pack(f"<{len(positions)}I", *positions)
    plc += b"".join(struct.pack("<HIH", 0, place, 0) for place in places)
    properties = b"\x01\x02\x00ab"  # what comes before the pieces and is passed over
    table = b"\0" * 8 + properties + b"\x02" + struct.pack("<I", len(plc)) + plc
    struct.pack_into("<II", word, 0x01A2, 8, len(table) - 8)
    return compound({"1Table": table, "WordDocument": bytes(word)})


def xls(rows: list[list[str | float]], name: str = "Sheet") -> bytes:
    """An Excel 97 workbook of one sheet."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 1996, 0, 6))

    end = record(0x000A, b"")
    cells = b""
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            place = struct.pack("<HHH", row, column, 0)
            if isinstance(value, str):
                cells += record(0x0204, place + struct.pack("<HB", len(value), 0) + value.encode("latin-1"))
            else:
                cells += record(0x0203, place + struct.pack("<d", value))
    sheet = record(0x0085, struct.pack("<IBBBB", 0, 0, 0, len(name), 0) + name.encode("latin-1"))
    start = len(begin(5)) + len(sheet) + len(end)
    sheet = record(0x0085, struct.pack("<IBBBB", start, 0, 0, len(name), 0) + name.encode("latin-1"))
    return compound({"Workbook": begin(5) + sheet + end + begin(0x10) + cells + end})


def png(width: int, height: int) -> bytes:
    """The head of a PNG."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + bytes(4)


def jpeg(width: int, height: int) -> bytes:
    """The head of a JPEG, with a comment before its frame."""
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"note"
    return b"\xff\xd8" + comment + b"\xff\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"


def gif(width: int, height: int) -> bytes:
    """The head of a GIF."""
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(3)


def webp(width: int, height: int) -> bytes:
    """The head of an extended WebP."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
