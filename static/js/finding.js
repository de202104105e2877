/* The search box in the staff frame: a key to reach it, arrows through what was found. */
(() => {
  "use strict";
  const OFF = "sundial-keys-off"; // the same switch as the schedule's keys
  const areOff = () => { try { return Boolean(localStorage.getItem(OFF)); } catch { return false; } };
  const field = () => document.querySelector("[data-find] input[type=search]");
  const box = () => document.querySelector(".find-box");
  const pop = () => document.querySelector(".find-box .find-pop");
  const links = () => [...document.querySelectorAll("#found a.hit-row, #found .find-all a")];
  const hide = () => { if (pop()) pop().hidden = true; };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (event.key === "/" && !areOff() && !at.closest("input, select, textarea, [contenteditable]")) {
      const found = field();
      if (!found || !found.offsetParent) return;
      event.preventDefault();
      found.focus();
      found.select();
      return;
    }
    const inside = at.closest("[data-find], #found");
    if (!inside) return;
    if (event.key === "Escape" && pop() && !pop().hidden) {
      event.preventDefault(); // the list goes; what was typed goes with the next Escape
      hide();
      field().focus();
      return;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const all = links();
    if (!all.length) return;
    const next = all.indexOf(at.closest("a")) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    if (next < 0) field().focus();
    else if (next < all.length) all[next].focus();
  });
  document.addEventListener("click", (event) => {
    if (box() && !box().contains(event.target)) hide();
  });
  document.addEventListener("focusin", (event) => {
    if (!box()) return;
    if (!box().contains(event.target)) hide();
    else if (event.target === field() && field().value.trim() && pop().childElementCount) pop().hidden = false;
  });
})();
