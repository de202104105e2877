/* The kiosk goes back to its start by itself; without this file the pages refresh themselves. */
(() => {
  "use strict";
  const IDLE = 60; // seconds after which something half typed is taken away
  const FRESH = 300; // seconds after which an untouched start page is fetched anew
  const LOW = 15; // seconds before the end at which it is said

  /* A page from the browser's memory shows whoever was here before. */
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  const start = document.querySelector("[data-kiosk-start]");
  if (start) {
    let touched = Date.now();
    for (const kind of ["input", "pointerdown", "keydown"]) document.addEventListener(kind, () => { touched = Date.now(); });
    const isUsed = () => [...start.querySelectorAll("input.input")].some((field) => field.value) || document.querySelector(".summary");
    setInterval(() => {
      const quiet = (Date.now() - touched) / 1000;
      const video = start.querySelector("[data-scan-video]");
      if (video && video.srcObject && quiet < 2 * IDLE) return;
      if (quiet > (isUsed() ? IDLE : FRESH)) location.replace(start.dataset.kioskStart);
    }, 1000);
    /* Enter in the reference goes on to the name; a scanner's Enter sends the code. */
    const [reference, name] = start.querySelectorAll("input.input");
    reference.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || name.value || /[0-9a-f]{20}\/?$/i.test(reference.value.trim()) || !reference.value.trim()) return;
      event.preventDefault();
      name.focus();
    });
  }

  const closing = document.querySelector("[data-closing]");
  const end = document.querySelector("[data-kiosk-end]");
  if (closing && end) {
    const ends = Date.now() + Number(closing.dataset.closing) * 1000;
    const say = closing.querySelector("[data-closing-say]");
    const warn = closing.querySelector("[data-closing-warn]");
    const low = Math.min(LOW, Number(closing.dataset.closing) - 1);
    const tick = () => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      say.textContent = `This screen clears itself in ${left} ${left === 1 ? "second" : "seconds"}.`;
      closing.classList.toggle("is-low", left <= LOW);
      /* Once, and also where a slow device's clock jumps over that very second. */
      if (left <= low && left > 0 && !warn.textContent) warn.textContent = `This screen clears itself in ${left} seconds. Press I need more time to keep it.`;
      if (left === 0) {
        clearInterval(timer);
        end.requestSubmit();
      }
    };
    const timer = setInterval(tick, 1000);
    tick();
  }
})();
