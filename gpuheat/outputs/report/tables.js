// The same in numbers, behind a disclosure; made when somebody looks.

export class Table {
  // `rows()` gives the head and the rows, all of them texts.
  constructor(rows) {
    this.rows = rows;
    this.details = document.getElementById("numbers");
    this.details.addEventListener("toggle", () => this.show());
  }

  show() {
    if (!this.details.open) return;
    const [head, ...body] = this.rows();
    const table = document.createElement("table");
    table.createTHead().append(line(head, "th"));
    const rows = table.createTBody();
    for (const row of body) rows.append(line(row, "td"));
    document.getElementById("table").replaceChildren(table);
  }
}

function line(texts, kind) {
  const row = document.createElement("tr");
  for (const text of texts) {
    const cell = Object.assign(document.createElement(kind), { textContent: text });
    if (kind === "th") cell.scope = "col";
    row.append(cell);
  }
  return row;
}
