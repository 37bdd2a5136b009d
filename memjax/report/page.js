// What every page has: a switch for its colours, tables that sort, filter, copy and download, and folds that open for print.
"use strict";
const themes = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };
const root = document.documentElement;
const isDark = () =>
  root.dataset.theme === "dark" || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
const themed = () => dispatchEvent(new Event("themed"));
const button = (text, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
};
const theme = button(themes.auto, () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
  root.dataset.theme = next;
  theme.textContent = themes[next];
  themed();
});
theme.className = "theme";
document.querySelector("header").prepend(theme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);

// Sorting: a button in each heading, aria-sort on the column that was sorted. Empty values go last; the size of rho, largest first.
const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
};
const sortable = (table) => {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    const name = heading.textContent;
    heading.replaceChildren(
      button(name, () => {
        const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        const rows = [...body.rows];
        const numeric = rows.every((row) => !Number.isNaN(Number(key(row, column))));
        rows.sort((a, b) => {
          const [x, y] = [key(a, column), key(b, column)];
          if (x === "" || y === "") return (x === "") - (y === "");
          return direction * (numeric ? x - y : x.localeCompare(y));
        });
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        body.append(...rows);
      }),
    );
  });
  return (column) => {
    const rows = [...body.rows].sort((a, b) => Math.abs(key(b, column) || 0) - Math.abs(key(a, column) || 0));
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    body.append(...rows);
  };
};

// A table as text: what is shown, numbers in full where the page has them. A cell that a spreadsheet would run is marked as text.
const full = (cell) => ("whole" in cell.dataset ? "" : cell.dataset.sort) || cell.textContent.trim();
const cells = (row, quote) => [...row.cells].map((cell) => quote(full(cell)));
const inert = (text) => (/^[=@\t\r]|^[+-](?![\d.])/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\n]/.test(inert(text)) ? `"${inert(text).replaceAll('"', '""')}"` : inert(text));
const written = (table, between, quote) =>
  [...table.tHead.rows, ...[...table.tBodies[0].rows].filter((row) => !row.hidden)]
    .map((row) => cells(row, quote).join(between))
    .join("\n");
const filterable = (bar, table, bySize) => {
  const label = document.createElement("label");
  const field = document.createElement("input");
  const told = document.createElement("span");
  field.type = "search";
  label.append("Filter ", field);
  told.setAttribute("role", "status");
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    told.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
  });
  const size = [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.size);
  bar.append(label);
  if (size >= 0) bar.append(button("Largest |ρ| first", () => bySize(size)));
  bar.append(
    button("Copy", async () => {
      const done = navigator.clipboard?.writeText(written(table, "\t", inert)) ?? Promise.reject();
      told.textContent = await done.then(() => "copied", () => "the browser allows no copy here: use Download CSV");
    }),
    button("Download CSV", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff", written(table, ",", quoted), "\n"], { type: "text/csv" }));
      link.download = `${bar.dataset.file.replace(/[^\w-]+/g, "_")}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    }),
    told,
  );
};
for (const table of document.querySelectorAll("table.sortable")) {
  const bySize = sortable(table);
  const bar = table.parentElement.previousElementSibling;
  if (bar?.classList.contains("tools")) filterable(bar, table, bySize);
}

// Print shows what is folded.
const folds = [...document.querySelectorAll("details.fold")];
addEventListener("beforeprint", () => {
  for (const fold of folds.filter((one) => !one.open)) {
    fold.open = true;
    fold.dataset.printed = "yes";
  }
});
addEventListener("afterprint", () => {
  for (const fold of folds.filter((one) => one.dataset.printed)) {
    fold.open = false;
    delete fold.dataset.printed;
  }
});
