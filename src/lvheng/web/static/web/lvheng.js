// 页面在没有脚本时照常可用；脚本只加方便：边注滑出、表格排序和筛选、提纲定位、随选随筛。
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("script");
  const phone = window.matchMedia("(max-width: 56rem)");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- 边注：手机上为自下而上的一页 ---
  let opener = null;
  const margin = () => document.getElementById("margin");
  function openMargin() {
    const area = margin();
    if (!area || !phone.matches) return;
    area.classList.add("slip");
    area.setAttribute("role", "dialog");
    const close = area.querySelector("[data-close]");
    if (close) close.focus();
  }
  function closeMargin() {
    const area = margin();
    if (!area || !area.classList.contains("slip")) return;
    area.classList.remove("slip");
    area.removeAttribute("role");
    if (opener && opener.isConnected) opener.focus();
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) return closeMargin();
    const line = event.target.closest("[hx-target='#margin']");
    if (line) opener = line;
    for (const menu of all("details.person[open], details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      closeMargin();
      for (const menu of all("details.person[open], details.menu[open]")) menu.open = false;
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "margin") return;
    const chosen = opener && opener.closest("[data-line]");
    if (chosen) {
      for (const other of all("[data-line][aria-current]")) other.removeAttribute("aria-current");
      chosen.setAttribute("aria-current", "true");
    }
    openMargin();
  });

  // --- 选择文件：按钮的字随页面的语言，不随浏览器 ---
  const words = document.currentScript ? document.currentScript.dataset : {};
  function chooser(within) {
    for (const input of all("input[type=file]:not(.unseen)", within)) {
      const wrap = document.createElement("label");
      const button = document.createElement("span");
      const chosen = document.createElement("span");
      wrap.className = "choose";
      button.className = "button";
      button.textContent = words.choose;
      chosen.className = "chosen";
      chosen.textContent = words.none;
      input.classList.add("unseen");
      input.before(wrap);
      wrap.append(input, button, chosen);
      input.addEventListener("change", () => { chosen.textContent = [...input.files].map((file) => file.name).join("、") || words.none; });
    }
  }
  chooser(document);
  document.addEventListener("htmx:load", (event) => chooser(event.detail.elt.parentElement || document));

  // --- 读不到时说明，不留空白 ---
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      const from = event.detail.elt;
      const link = from && (from.getAttribute("href") || (from.querySelector("a[href]") || {}).href);
      if (link) window.location.assign(link);
    });
  }

  // --- 表格：点表头排序，按字筛选 ---
  const collator = new Intl.Collator("zh-Hans-CN", { numeric: true });
  function keyOf(cell) {
    if (cell.querySelector(".missing") || cell.classList.contains("missing")) return null;
    const order = cell.dataset.order;
    if (order !== undefined) return Number.isNaN(Number(order)) ? order : Number(order);
    const text = cell.textContent.trim();
    return text;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return collator.compare(String(a), String(b));
  }
  function sortBy(head, index) {
    const table = head.closest("table");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row, keyOf(row.cells[index])]);
    rows.sort(([, a], [, b]) => {
      if (a === null || a === "") return b === null || b === "" ? 0 : 1; // 缺数总在最后
      if (b === null || b === "") return -1;
      return up ? compare(a, b) : compare(b, a);
    });
    body.append(...rows.map(([row]) => row));
  }
  function filterRows(box) {
    const area = box.closest("[data-table]");
    const wanted = box.value.trim().toLowerCase();
    let shown = 0;
    const rows = all("tbody tr", area);
    for (const row of rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      if (!row.hidden) shown += 1;
    }
    area.querySelector("[data-count]").textContent = wanted ? `${shown} / ${rows.length}` : "";
  }
  function prepareTables(within) {
    for (const head of all("[data-table] thead th", within)) {
      const word = head.querySelector("[data-sort]");
      if (!word || word.hasAttribute("role")) continue;
      word.setAttribute("role", "button");
      word.tabIndex = 0;
      const sort = () => sortBy(head, head.cellIndex);
      word.addEventListener("click", sort);
      word.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          sort();
        }
      });
    }
    for (const box of all("[data-filter]", within)) box.addEventListener("input", () => filterRows(box));
  }

  // --- 提纲：读到哪一条 ---
  function followOutline() {
    const links = new Map(all(".contents a[href^='#'], .contents a[data-clause]").map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
    const clauses = all("[data-clause-section]");
    if (!links.size || !clauses.length) return;
    const seen = new Set();
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.isIntersecting ? seen.add(entry.target) : seen.delete(entry.target);
      const first = clauses.find((clause) => seen.has(clause));
      if (!first) return;
      for (const link of links.values()) link.removeAttribute("aria-current");
      const link = links.get(first.id);
      if (!link) return;
      link.setAttribute("aria-current", "location");
      const box = link.closest(".pin");
      if (box && !phone.matches) {
        const top = link.offsetTop - box.offsetTop;
        if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 40) box.scrollTop = top - box.clientHeight / 2;
      }
    }, { rootMargin: "-80px 0px -60% 0px" });
    for (const clause of clauses) watcher.observe(clause);
  }
  function foldOutline() {
    for (const fold of all("details.fold")) fold.open = !phone.matches;
  }
  function foldMenu() {
    const menu = document.querySelector("[data-menu]");
    if (menu) menu.open = !phone.matches;
  }

  function prepare(within) {
    prepareTables(within);
    const problems = within.querySelector && within.querySelector(".problems");
    if (problems && within !== document && within !== document.body) problems.focus();
  }
  prepare(document);
  followOutline();
  foldOutline();
  foldMenu();
  phone.addEventListener("change", () => { foldOutline(); foldMenu(); closeMargin(); });
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "plan-body") followOutline();
  });
})();
