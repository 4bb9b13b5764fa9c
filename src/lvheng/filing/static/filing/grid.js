/* 在线填报表格：回车、方向键和 Tab 如电子表格；可整块粘贴；停笔即存；错处标在格上。 */
(() => {
  "use strict";
  const root = document.getElementById("grid");
  if (!root || !root.dataset.save) return;
  const token = root.querySelector("input[name=csrfmiddlewaretoken]").value;
  const saved = document.getElementById("saved");
  let edits = Number(root.dataset.edits);
  let timer = 0, busy = false, again = false, dirty = false, touched = false;

  const sections = () => [...root.querySelectorAll("[data-sheet][data-edit]")];
  const isRecord = (section) => Boolean(section.querySelector(".record"));
  const rowsOf = (section) => [...section.querySelectorAll("tbody tr")];
  const inputsOf = (row) => [...row.querySelectorAll("input")];

  // 长表只显示一页：告诉服务器原来显示了哪些行，其余各行不动
  const shown = Object.fromEntries(sections().filter((s) => s.hasAttribute("data-long"))
    .map((s) => [s.dataset.sheet, rowsOf(s).map((r) => r.dataset.row).filter((key) => key)]));

  function content() {
    const sheets = {};
    for (const section of sections()) {
      const rows = isRecord(section)
        ? [Object.fromEntries([...section.querySelectorAll("input")].map((i) => [i.name, i.value]))]
        : rowsOf(section).map((row) => Object.fromEntries(inputsOf(row).map((i) => [i.name, i.value])));
      const filled = rows.filter((row) => Object.values(row).some((v) => v.trim() !== ""))
        .map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v.trim() === "" ? null : v])));
      sheets[section.dataset.sheet] = isRecord(section) ? filled[0] || {} : filled;
    }
    return sheets;
  }

  // --- 保存 ---
  function later() {
    dirty = touched = true;
    clearTimeout(timer);
    timer = setTimeout(save, 900);
  }
  async function save() {
    if (busy) { again = true; return; }
    if (!dirty) return;
    busy = true; dirty = false;
    say(root.dataset.saving + "…", false);
    try {
      const response = await fetch(root.dataset.save, {
        method: "POST", credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify({ edits, sheets: content(), shown }),
      });
      const answer = await response.json();
      if (!response.ok) {
        say(answer.problems.map((p) => p.message + (p.fix ? "。" + p.fix : "")).join(" "), true);
      } else {
        edits = answer.edits;
        for (const sheet of Object.keys(shown)) shown[sheet] = answer.shown[sheet] || shown[sheet];
        for (const field of document.querySelectorAll("[data-edits-field]")) field.value = edits;
        mark(answer.problems);
        const open = answer.problems.filter((p) => (p.severity === "blocker" || p.severity === "error") && !p.answer).length;
        say(root.dataset.done + " " + answer.saved + (open ? "　" + root.dataset.count.replace("{n}", open) : ""), false);
      }
    } catch {
      dirty = true;
      say(root.dataset.failed, true);
      timer = setTimeout(save, 5000);
    }
    busy = false;
    if (again) { again = false; save(); }
  }
  function say(text, failed) {
    saved.textContent = text;
    saved.classList.toggle("failed", failed);
  }

  // --- 错处标在格上 ---
  function keyOf(section, row) { return row.dataset.row; }
  function mark(problems) {
    for (const cell of root.querySelectorAll("td.bad")) {
      cell.classList.remove("bad", "bad-blocker", "bad-error", "bad-warning", "bad-notice");
      cell.removeAttribute("title");
      const input = cell.querySelector("input");
      if (input) input.removeAttribute("aria-invalid");
    }
    for (const p of problems) {
      const section = root.querySelector(`[data-sheet="${CSS.escape(p.sheet || "")}"]`);
      if (!section || !p.column) continue;
      const row = isRecord(section) ? section : rowsOf(section).find((r) => keyOf(section, r) === (p.key || "") || labelOf(r) === (p.key || ""));
      const cell = row && row.querySelector(`td[data-column="${CSS.escape(p.column)}"]`);
      if (!cell) continue;
      cell.classList.add("bad", "bad-" + p.severity);
      cell.title = (cell.title ? cell.title + " " : "") + p.message + (p.wanted ? "（" + p.wanted + "）" : "");
      if (p.severity === "blocker" || p.severity === "error") cell.querySelector("input").setAttribute("aria-invalid", "true");
    }
  }
  function labelOf(row) { return (row.querySelector("input") || { value: "" }).value; }

  // --- 走格 ---
  function move(input, down, right) {
    const row = input.closest("tr"), body = row.parentElement, rows = [...body.rows];
    const column = inputsOf(row).indexOf(input);
    const next = rows[rows.indexOf(row) + down];
    const goal = down ? next && inputsOf(next)[column] : inputsOf(row)[column + right];
    if (goal) { goal.focus(); goal.select(); return true; }
    return false;
  }
  root.addEventListener("keydown", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement)) return;
    if (event.key === "Enter") { event.preventDefault(); move(input, event.shiftKey ? -1 : 1, 0); }
    else if (event.key === "ArrowDown" && !input.list) { if (move(input, 1, 0)) event.preventDefault(); }
    else if (event.key === "ArrowUp" && !input.list) { if (move(input, -1, 0)) event.preventDefault(); }
  });
  root.addEventListener("input", later);

  // --- 整块粘贴 ---
  root.addEventListener("paste", (event) => {
    const input = event.target;
    const text = event.clipboardData.getData("text/plain");
    if (!(input instanceof HTMLInputElement) || !/[\t\n]/.test(text.replace(/\r?\n$/, ""))) return;
    event.preventDefault();
    const lines = text.replace(/\r/g, "").replace(/\n$/, "").split("\n").map((line) => line.split("\t"));
    const first = input.closest("tr"), body = first.parentElement, section = first.closest("[data-sheet]");
    const left = inputsOf(first).indexOf(input), top = [...body.rows].indexOf(first);
    lines.forEach((cells, i) => {
      while (!body.rows[top + i] && addRow(section)) { /* 行不够则添 */ }
      const row = body.rows[top + i];
      if (!row) return;
      const inputs = inputsOf(row);
      cells.forEach((cell, j) => {
        const goal = inputs[left + j];
        if (goal && !goal.readOnly) goal.value = cell.trim();
      });
    });
    later();
  });
  function addRow(section) {
    if (!section.querySelector("[data-add-row]")) return null;
    const body = section.querySelector("tbody");
    const row = body.rows[body.rows.length - 1].cloneNode(true);
    row.dataset.row = "";
    for (const input of inputsOf(row)) { input.value = ""; input.readOnly = false; input.removeAttribute("aria-invalid"); }
    for (const cell of row.cells) { cell.className = cell.classList.contains("n") ? "n" : ""; cell.removeAttribute("title"); cell.removeAttribute("id"); for (const extra of cell.querySelectorAll("span")) extra.remove(); }
    body.append(row);
    return row;
  }
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-add-row]");
    if (!button) return;
    const row = addRow(button.closest("[data-sheet]"));
    if (row) inputsOf(row)[0].focus();
  });

  // --- 提交前先存完 ---
  const form = document.getElementById("submit");
  if (form) form.addEventListener("submit", async (event) => {
    if (!dirty && !busy) return;
    event.preventDefault();
    clearTimeout(timer);
    while (busy) await new Promise((done) => setTimeout(done, 50));
    await save();
    while (busy) await new Promise((done) => setTimeout(done, 50));
    if (!dirty && !saved.classList.contains("failed")) form.submit();
  });
  window.addEventListener("beforeunload", (event) => { if (dirty && touched) event.preventDefault(); });
})();
