/* Passkeys: buttons where the browser knows them. Without this file passwords work as ever. */
(() => {
  "use strict";
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  const api = window.PublicKeyCredential;
  if (!api || !api.parseCreationOptionsFromJSON || !api.parseRequestOptionsFromJSON) return;

  const say = (place, text) => {
    const line = place.querySelector("[role=alert]");
    line.querySelector("span").textContent = text;
    line.hidden = !text;
  };
  const send = (url, fields) => fetch(url, { method: "POST", body: new URLSearchParams(fields) });
  const token = () => document.querySelector("[name=csrf_token]").value;

  // What the server asks of the device, with the ticket that brings its answer back.
  const ask = async (url) => {
    const answer = await send(url, { csrf_token: token() });
    const isOurs = (answer.headers.get("Content-Type") || "").startsWith("application/json");
    if (answer.ok && isOurs) return answer.json();
    const failure = new Error(answer.status === 422 ? await answer.text() : "");
    failure.status = answer.status;
    throw failure;
  };
  const explain = (failure) => {
    if (failure.name === "NotAllowedError" || failure.name === "AbortError") return "That was stopped. Try again when you are ready.";
    if (failure.name === "InvalidStateError") return "This device has a passkey for you already.";
    if (failure.name === "SecurityError") return "Passkeys belong to this shop's own address. Open it by its name, and try again.";
    return failure.status === 422 && failure.message ? failure.message : "That didn't work. Reload the page and try again.";
  };
  const use = async (url, more) => {
    const { options, ticket } = await ask(url);
    const publicKey = api.parseRequestOptionsFromJSON(options);
    const found = await navigator.credentials.get({ publicKey, ...more });
    return { credential: JSON.stringify(found.toJSON()), ticket };
  };

  const adding = document.querySelector("[data-passkey-add]");
  if (adding) {
    adding.hidden = false;
    document.querySelector("[data-no-passkey]").hidden = true;
    adding.addEventListener("submit", async (event) => {
      event.preventDefault();
      say(adding, "");
      try {
        const { options, ticket } = await ask(adding.dataset.passkeyAdd);
        const publicKey = api.parseCreationOptionsFromJSON(options);
        const made = await navigator.credentials.create({ publicKey });
        adding.elements.credential.value = JSON.stringify(made.toJSON());
        adding.elements.ticket.value = ticket;
        adding.submit();
      } catch (failure) {
        if (failure.status === 403) location.assign(`${adding.dataset.confirm}${encodeURIComponent(`?device=${encodeURIComponent(adding.elements.name.value)}`)}`);
        else say(adding, explain(failure));
      }
    });
  }

  const proving = document.querySelector("[data-passkey-prove]");
  if (proving) {
    proving.hidden = false;
    proving.querySelector("button").addEventListener("click", async () => {
      say(proving, "");
      try {
        const found = await use(proving.dataset.challenge, {});
        const answer = await send(proving.dataset.passkeyProve, { csrf_token: token(), ...found });
        if (answer.status === 204) document.getElementById("proof").submit();
        else say(proving, answer.status === 422 ? await answer.text() : explain({}));
      } catch (failure) {
        say(proving, explain(failure));
      }
    });
  }

  const door = document.querySelector("[data-passkey-door]");
  if (!door) return;
  door.hidden = false;
  const remember = document.querySelector("[name=remember][type=checkbox]");
  let offering = new AbortController();
  const enter = ({ credential, ticket }) => {
    door.elements.credential.value = credential;
    door.elements.ticket.value = ticket;
    door.elements.remember.value = remember && remember.checked ? "y" : "";
    door.submit();
  };
  door.querySelector("button").addEventListener("click", async () => {
    offering.abort();
    say(door, "");
    try {
      enter(await use(door.dataset.passkeyDoor, {}));
    } catch (failure) {
      say(door, explain(failure));
    }
  });

  // Where the browser can, passkeys stand among what it offers for the address field.
  const offer = async () => {
    if (!api.isConditionalMediationAvailable || !(await api.isConditionalMediationAvailable())) return;
    try {
      enter(await use(door.dataset.passkeyDoor, { mediation: "conditional", signal: offering.signal }));
    } catch {
      // Nothing was asked for, so nothing is said.
    }
  };
  const email = document.querySelector("[autocomplete~=webauthn]");
  if (email) email.addEventListener("focus", offer, { once: true });
})();
