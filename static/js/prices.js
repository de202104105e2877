/* Price rules: rows move without a reload, by drag, by button and by Alt with an arrow key.
   All three end in `settle`, which asks the server for the preview. Works without this file too. */
(() => {
  "use strict";
  const form = document.getElementById("prices");
  const list = form && form.querySelector("[data-rules]");
  if (!list) return;
  const rows = () => [...list.children];
  const order = () => rows().map((row) => row.id).join();
  const note = form.querySelector("[data-moved]");

  /* What a row says of its place is written anew; the colours go by place, as in the calendar. */
  const renumber = () => {
    const all = rows();
    all.forEach((row, at) => {
      for (let colour = 1; colour <= 7; colour += 1) row.classList.toggle(`rule-${colour}`, colour === (at % 7) + 1);
      row.querySelector("[data-number]").textContent = at + 1;
      const [up, down] = row.querySelectorAll("[data-move]");
      up.setAttribute("aria-label", `Move rule ${at + 1} up`);
      down.setAttribute("aria-label", `Move rule ${at + 1} down`);
      up.disabled = at === 0;
      down.disabled = at === all.length - 1;
    });
  };
  const settle = (row) => {
    renumber();
    const at = rows().indexOf(row) + 1;
    note.textContent = `${row.querySelector(".rname").textContent} is now rule ${at} of ${rows().length}.`;
    form.dispatchEvent(new CustomEvent("sundial:preview"));
  };
  const move = (row, step) => {
    const to = rows().indexOf(row) + step;
    if (to < 0 || to >= rows().length) return;
    const focused = document.activeElement;
    if (step < 0) row.previousElementSibling.before(row);
    else row.nextElementSibling.after(row);
    settle(row);
    const back = focused.disabled ? row.querySelector("[data-move]:not(:disabled)") : focused;
    if (back && row.contains(back)) back.focus();
  };

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    event.preventDefault();
    move(button.closest("[data-rule]"), Number(button.dataset.move));
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const row = event.target.closest("[data-rule]");
    if (!step || !event.altKey || !row) return;
    event.preventDefault();
    move(row, step);
  });

  let drag = null;
  const place = (y) => {
    const others = rows().filter((row) => row !== drag.row);
    const next = others.find((row) => {
      const box = row.getBoundingClientRect();
      return y < box.top + box.height / 2;
    });
    if (next) {
      if (next.previousElementSibling !== drag.row) next.before(drag.row);
    } else if (list.lastElementChild !== drag.row) list.append(drag.row);
  };
  const end = (isKept) => {
    if (!drag) return;
    const { row, was, before } = drag;
    drag = null;
    row.classList.remove("is-dragged");
    if (!isKept) {
      if (before) before.before(row);
      else list.append(row);
    } else if (order() !== was) settle(row);
  };
  list.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest("[data-grip]");
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    const row = grip.closest("[data-rule]");
    drag = { row, was: order(), before: row.nextElementSibling, pointer: event.pointerId };
    row.classList.add("is-dragged");
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    place(event.clientY);
    if (event.clientY < 60) window.scrollBy(0, -12);
    else if (event.clientY > window.innerHeight - 90) window.scrollBy(0, 12);
  });
  document.addEventListener("pointerup", () => end(true));
  document.addEventListener("pointercancel", () => end(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end(false);
  });

  for (const it of form.querySelectorAll("[data-grip], [data-hint]")) it.hidden = false;
  for (const it of form.querySelectorAll("[data-without-script]")) it.hidden = true;
})();
