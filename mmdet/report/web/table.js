// Tables whose columns sort by a click or by the keyboard.

const LONG_TABLE = 40; // rows; longer ones scroll by themselves, under their headings

/**
 * Make a table. A column has `name`, `value(row)` to sort by, and if need be `show(row)` (text or element), `text` (it
 * holds words), `title`, and `bar(row)`, a fraction drawn behind the number. With `sortBy` null rows stay as they come.
 */
function sortableTable({ id, caption, columns, rows, sortBy = 0, descending = false }) {
  const body = element("tbody");
  const lines = rows.map((row) => ({
    row,
    line: element(
      "tr",
      {},
      columns.map((column, index) => cellOf(column, row, index)),
    ),
  }));
  const heads = columns.map((column, index) => headOf(column, () => sort(index)));
  const table = element(
    "table",
    { id, class: "sortable" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, heads)),
    body,
  );
  let current = { index: null, descending };

  function sort(index) {
    const again = index === current.index;
    current = { index, descending: again ? !current.descending : !columns[index].text };
    arrange();
  }
  function arrange() {
    if (current.index === null) return body.replaceChildren(...lines.map(({ line }) => line)); // as they come
    const { value } = columns[current.index];
    lines.sort((a, b) => compared(value(a.row), value(b.row), current.descending));
    body.replaceChildren(...lines.map(({ line }) => line));
    heads.forEach((head, index) => {
      const order = current.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", index === current.index ? order : "none");
    });
  }
  current = { index: sortBy, descending };
  arrange();
  const long = rows.length > LONG_TABLE ? " long" : "";
  return element("div", { class: `scroll${long}`, tabindex: "0", role: "region", "aria-label": caption }, table);
}

function headOf(column, sort) {
  const button = element("button", { type: "button", title: column.title, onclick: sort }, column.name);
  return element("th", { scope: "col", class: column.text ? "text" : null }, button);
}

function cellOf(column, row, index) {
  const shown = column.show ? column.show(row) : String(column.value(row) ?? UNKNOWN);
  const bar = column.bar ? column.bar(row) : null;
  const style = isKnown(bar) ? { "--bar": `${100 * Math.max(0, Math.min(1, bar))}%` } : {};
  const classes = [column.text ? "text" : "", isKnown(bar) ? "with-bar" : ""].join(" ").trim();
  return element(
    index === 0 ? "th" : "td",
    { class: classes || null, style, scope: index === 0 ? "row" : null },
    shown,
  );
}

/** Order two values; what is not known comes last either way. */
function compared(a, b, descending) {
  if (!isKnown(a) || !isKnown(b)) return Number(!isKnown(a)) - Number(!isKnown(b));
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return descending ? -order : order;
}
