/* The schedule's shortcuts: one key for what is done often, and a drag that fills in the form.
   Nothing is saved here: a drag opens the same page as the pencil does, with the new time and room.
   The positions are classes (staff-time.css), as on the page itself. */
(() => {
  "use strict";
  const ROW = 5; // minutes
  const HOLD = 450; // a finger rests so long before it lifts a session
  const FAR = 6; // pixels that a mouse moves before it drags

  /* ---- Keys ---------------------------------------------------------------- */
  const OFF = "sundial-keys-off";
  const kept = { get: () => { try { return localStorage.getItem(OFF); } catch { return null; } } };
  kept.set = (value) => { try { value ? localStorage.setItem(OFF, "1") : localStorage.removeItem(OFF); } catch { /* only for this page then */ } };
  let off = Boolean(kept.get());
  const drawSwitch = () => {
    const button = document.querySelector("[data-keys-switch]");
    if (!button) return;
    button.hidden = false;
    button.textContent = off ? "Switch the keys on" : "Switch the keys off";
  };
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keys-switch]")) return;
    off = !off;
    kept.set(off);
    drawSwitch();
  });
  document.addEventListener("htmx:after:swap", drawSwitch);
  drawSwitch();

  const editOf = (block) => {
    const url = new URL(block.dataset.edit, location.href);
    url.searchParams.set("from", "schedule");
    return url;
  };
  document.addEventListener("keydown", (event) => {
    if (off || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || drag) return;
    const at = event.target;
    if (at.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key === "e") {
      const block = at.closest("[data-edit]") || (at.closest(".lane > li") || document.createElement("i")).querySelector("[data-edit]");
      if (block) location.href = editOf(block);
      return;
    }
    // The grid scrolls with the arrows.
    if (event.key.startsWith("Arrow") && (event.shiftKey || at.closest(".sched, details[open]"))) return;
    const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
  });

  /* ---- Drag ---------------------------------------------------------------- */
  let drag = null; // {block, pointer, x, y, grip, lifted, ghost, timer, row, lane}
  const sched = () => document.querySelector(".sched");

  const two = (number) => String(number).padStart(2, "0");
  const timeOf = (row) => {
    const minutes = Number(sched().dataset.firstHour) * 60 + (row - 1) * ROW;
    return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  };

  const lift = () => {
    drag.lifted = true;
    clearTimeout(drag.timer);
    document.documentElement.classList.add("is-dragging");
    drag.block.classList.add("is-lifted");
    drag.ghost = document.createElement("li");
    drag.ghost.className = "ghost";
    const face = document.createElement("div");
    face.className = "sess";
    drag.said = document.createElement("span");
    drag.said.className = "tm";
    const name = document.createElement("b");
    name.textContent = drag.block.querySelector("b").textContent;
    face.append(drag.said, name);
    drag.ghost.append(face);
    try { drag.block.setPointerCapture(drag.pointer); } catch { /* the pointer has gone */ }
  };

  const follow = (x, y) => {
    const lanes = [...document.querySelectorAll(".lane[data-room]")].filter((lane) => lane.dataset.room);
    const over = lanes.find((lane) => {
      const box = lane.getBoundingClientRect();
      return x >= box.left && x < box.right;
    });
    const lane = over || drag.lane || drag.block.closest(".lane");
    const box = lane.getBoundingClientRect();
    const rows = Number(drag.block.dataset.rows);
    const all = document.querySelectorAll(".hours-col li").length * (60 / ROW);
    const height = box.height / all;
    const row = Math.max(1, Math.min(all - Math.min(rows, all) + 1, Math.round((y - drag.grip - box.top) / height) + 1));
    if (lane === drag.lane && row === drag.row) return;
    drag.lane = lane;
    drag.row = row;
    drag.ghost.className = `ghost at-${row} for-${rows}`;
    drag.said.textContent = `${timeOf(row)}, ${lane.dataset.name}`;
    if (drag.ghost.parentElement !== lane) lane.append(drag.ghost);
  };

  const drop = () => {
    if (!drag) return null;
    const was = drag;
    clearTimeout(was.timer);
    if (was.ghost) was.ghost.remove();
    was.block.classList.remove("is-lifted");
    document.documentElement.classList.remove("is-dragging", "is-lifting");
    drag = null;
    return was;
  };

  document.addEventListener("pointerdown", (event) => {
    const block = event.target.closest(".sess[data-drag]");
    if (!block || event.button !== 0 || !event.isPrimary) return;
    const box = block.getBoundingClientRect();
    drag = { block, pointer: event.pointerId, x: event.clientX, y: event.clientY, grip: event.clientY - box.top, lifted: false, touch: event.pointerType !== "mouse" };
    if (drag.touch) {
      drag.timer = setTimeout(() => {
        if (!drag) return;
        document.documentElement.classList.add("is-lifting");
        lift();
        follow(drag.x, drag.y);
      }, HOLD);
    }
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > FAR;
    if (!drag.lifted) {
      if (!far) return;
      if (drag.touch) {
        drop(); // It scrolls.
        return;
      }
      lift();
    }
    event.preventDefault();
    follow(event.clientX, event.clientY);
  });
  /* A finger that has lifted a session no longer scrolls. */
  document.addEventListener("touchmove", (event) => { if (drag && drag.lifted) event.preventDefault(); }, { passive: false });
  document.addEventListener("contextmenu", (event) => { if (drag && drag.touch) event.preventDefault(); });

  let swallow = false;
  const soon = () => setTimeout(() => { swallow = false; }, 0);
  document.addEventListener("pointerup", (event) => {
    if (swallow) soon();
    if (!drag || event.pointerId !== drag.pointer) return;
    const was = drop();
    if (!was.lifted) return;
    swallow = true;
    soon();
    const home = was.block.closest(".lane");
    const start = home && was.block.closest("li").className.match(/\bat-(\d+)\b/);
    if (!was.lane || (was.lane === home && start && Number(start[1]) === was.row)) return;
    const url = editOf(was.block);
    url.searchParams.set("time", timeOf(was.row));
    url.searchParams.set("room", was.lane.dataset.room);
    location.href = url;
  });
  document.addEventListener("click", (event) => {
    if (!swallow) return;
    swallow = false;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("pointercancel", drop);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !drag) return;
    event.preventDefault();
    if (drop().lifted) swallow = true;
  });
  /* News waits while somebody holds a session. */
  document.addEventListener("htmx:before:swap", (event) => { if (drag) event.preventDefault(); });
})();
