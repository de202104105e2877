/* Roles and their ticks follow each other. The role that is sent decides; without this it does, too. */
(() => {
  "use strict";
  for (const scope of document.querySelectorAll("[data-scope]")) {
    const role = scope.querySelector("[data-role]");
    const ticks = [...scope.querySelectorAll("[data-right]")];
    const rights = (option) => (option.dataset.rights || "").split(" ").filter(Boolean);
    role.addEventListener("change", () => {
      const chosen = role.selectedOptions[0];
      if (chosen.value === "mixture") {
        scope.querySelector("details").open = true;
        return;
      }
      for (const tick of ticks) tick.checked = rights(chosen).includes(tick.value);
    });
    scope.addEventListener("change", (event) => {
      if (!ticks.includes(event.target)) return;
      const on = ticks.filter((tick) => tick.checked).map((tick) => tick.value);
      const same = (option) => option.value !== "mixture" && rights(option).length === on.length && on.every((one) => rights(option).includes(one));
      role.value = ([...role.options].find(same) || { value: "mixture" }).value;
    });
  }
})();
