// 核对方案：在正文中选取的话带入“补充”表单；选中的一项在正文和列表中同时标出。
"use strict";
(() => {
  const chosenText = () => String(window.getSelection() || "").trim().slice(0, 600);
  let quote = "";
  document.addEventListener("selectionchange", () => {
    const selection = window.getSelection();
    const inside = selection && selection.anchorNode && selection.anchorNode.parentElement && selection.anchorNode.parentElement.closest("#reading");
    if (inside && chosenText()) quote = chosenText();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.hasAttribute("data-quote") && quote) event.detail.parameters.quote = quote;
  });
  function showSelected() {
    const card = document.querySelector("#margin [data-selected]");
    const id = card ? card.dataset.selected : "";
    for (const mark of document.querySelectorAll("#reading mark.current")) mark.classList.remove("current");
    if (!id) return;
    const marks = [...document.querySelectorAll("#reading mark")].filter((mark) => mark.dataset.item === id);
    for (const mark of marks) mark.classList.add("current");
    if (marks.length) {
      const box = marks[0].getBoundingClientRect();
      if (box.top < 80 || box.bottom > window.innerHeight - 40) marks[0].scrollIntoView({ block: "center" });
    }
  }
  document.addEventListener("htmx:afterSettle", showSelected);
  showSelected();
})();
