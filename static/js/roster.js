/* The roster by keyboard: arrows between guests, one letter for each tap. Every key presses a
   button or follows a link that stands on the page, so without this file nothing is missing.
   Letters work only while a guest's row has the focus (WCAG 2.1.4), and never in a field. */
(() => {
  "use strict";
  const names = {
    c: "checked in", s: "started", o: "checked out", u: "undone", n: "marked as a no-show",
    m: "moved", g: "given more guests", w: "waived a fee",
  };
  const rows = () => [...document.querySelectorAll("#roster .roster > li")];
  const rowOf = (element) => element.closest("#roster .roster > li");
  const stepOf = (row) => row.querySelector(".go") || row.querySelector("summary, a");
  const say = (text) => {
    const note = document.querySelector("[data-roster-said]");
    if (note) note.textContent = text;
  };

  let last = ""; // the row that had the focus, to give it back after its list was drawn anew
  document.addEventListener("focusin", (event) => {
    const row = rowOf(event.target);
    last = row ? row.id : "";
  });

  const go = (row) => {
    const step = row && stepOf(row);
    if (!step) return;
    step.focus();
    row.scrollIntoView({ block: "nearest" });
  };

  const press = (row, key) => {
    const control = row.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (control) {
      say("");
      control.click();
    } else {
      say(`${row.dataset.guest} can’t be ${names[key]} now.`);
    }
  };

  const keys = document.querySelector("[data-roster-keys]");
  const showKeys = () => {
    if (!keys) return;
    keys.open = true;
    keys.querySelector("summary").focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rowOf(event.target);
    if (!row || event.target.closest("input, select, textarea, [contenteditable]")) return;
    const all = rows();
    const steps = { ArrowUp: -1, ArrowDown: 1 };
    if (event.key in steps) go(all[all.indexOf(row) + steps[event.key]]);
    else if (event.key === "Home") go(all[0]);
    else if (event.key === "End") go(all[all.length - 1]);
    else if (event.key === "?") showKeys();
    else if (event.key in names && !event.repeat) press(row, event.key);
    else return;
    event.preventDefault();
  });

  document.addEventListener("htmx:after:swap", () => {
    const row = last && document.getElementById(last);
    // A row that has left the filter gives the focus to nobody: the next one would be tapped by mistake.
    if (row && (document.activeElement === document.body || !document.activeElement)) go(row);
  });

  /* Whoever was found by the search stands ready. The row has the focus and not its button, so that
     a second Enter, as some scanners send it, taps nothing. */
  const named = location.hash.startsWith("#b-") && document.getElementById(location.hash.slice(1));
  if (named) {
    named.tabIndex = -1;
    named.focus();
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
