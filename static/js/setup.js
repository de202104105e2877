/* A colour picker beside each text of a colour. The text stays what is sent. */
(() => {
  "use strict";
  const whole = /^#[0-9a-f]{6}$/i;
  for (const text of document.querySelectorAll(".colour-field .input")) {
    const picker = document.createElement("input");
    picker.type = "color";
    picker.setAttribute("aria-label", `Pick: ${text.labels[0].textContent}`);
    const follow = () => {
      if (whole.test(text.value)) picker.value = text.value;
    };
    follow();
    text.addEventListener("input", follow);
    picker.addEventListener("input", () => {
      text.value = picker.value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    const pair = document.createElement("div");
    pair.className = "colour-pair";
    text.replaceWith(pair);
    pair.append(picker, text);
  }
})();
