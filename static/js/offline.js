/* The minutes without a connection, on the staff's pages. Every page works without this file.
   1. Taps on the roster that get no answer are kept (tap-store.js), shown on their row, and sent
      again, once each, when the house answers.  2. What meets another's change is asked about.
   3. The worker (staff-worker.js) keeps the pages of the day.  4. Signing out leaves nothing. */
(() => {
  "use strict";
  const bar = document.getElementById("offline");
  if (!bar || !("indexedDB" in window)) return;
  const store = window.sundialTaps;
  const { account, name: myName, site, zone } = bar.dataset;
  const keptAt = Number(document.body.dataset.keptAt) || 0;
  const PATIENCE = 8000;
  const AWAY = [502, 503, 504];
  const FRESH = 30000;

  /* ---- What a tap is ------------------------------------------------------------- */
  const LABELS = {
    "check-in true": ["Check in", "arrived"],
    "check-in false": ["Undo check-in", "due"],
    "no-show true": ["No-show", "noshow"],
    "no-show false": ["Undo no-show", "due"],
    "stage not_arrived": ["Back to not arrived", "due"],
    "stage arrived": ["Back to arrived", "arrived"],
    "stage in_treatment": ["Start", "in"],
    "stage checked_out": ["Check out", "out"],
  };
  const NEXT = {
    due: ["check-in", "set", "true", "Check in", "btn go"],
    arrived: ["stage", "stage", "in_treatment", "Start", "btn btn--line go"],
    in: ["stage", "stage", "checked_out", "Check out", "btn btn--quiet go"],
  };
  let turn = 0;
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const readTap = (form) => {
    const url = new URL(form.action).pathname;
    const [, place, booking, deed] = /^\/staff\/([^/]+)\/bookings\/([^/]+)\/([^/]+)$/.exec(url) || [];
    const field = form.elements.namedItem("stage") || form.elements.namedItem("set");
    const [label, to] = LABELS[`${deed} ${field && field.value}`] || [];
    const row = document.getElementById(`b-${booking}`);
    if (!label) return null;
    return {
      key: newKey(), at: Date.now(), turn: (turn += 1), account, by: myName, site: place, url, booking,
      name: field.name, value: field.value, label, to, roster: location.pathname,
      who: row ? row.querySelector(".nm").textContent.trim() : "", seen: row ? row.dataset.mark || "" : "",
    };
  };

  /* ---- What is known --------------------------------------------------------------- */
  /* The page that stands in for one that was not kept: it belongs to nobody. */
  const shelf = document.getElementById("kept-pages");
  const isStandIn = shelf && location.pathname !== "/staff/no-connection";
  let taps = [];
  let isOffline = keptAt > 0 || Boolean(isStandIn);
  let reachedAt = keptAt || Date.now();
  let stopped = ""; /* why nothing is sent although the house answers */
  let notice = "";
  const sent = new Map(); /* key to tap: on its way by htmx */
  const isWaiting = (tap) => !tap.conflict && !(tap.sending && Date.now() - tap.sending < PATIENCE + 2000);
  const mine = () => taps.filter((tap) => tap.account === account && account);
  const waiting = () => mine().filter(isWaiting);
  const load = async () => {
    if (shelf) return draw();
    taps = await store.all();
    drawRows();
    draw();
  };

  /* ---- The bar ------------------------------------------------------------------- */
  const line = bar.querySelector("[role=status]");
  const list = bar.querySelector("ul");
  const signIn = bar.querySelector("[data-sign-in]");
  const clock = (at) => {
    const shown = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    return new Intl.DateTimeFormat("en-GB", zone ? { ...shown, timeZone: zone } : shown).format(at);
  };
  const count = (number, one, more) => `${number} ${number === 1 ? one : more}`;
  const sentences = () => {
    const said = [];
    const number = waiting().length;
    const others = taps.filter((tap) => tap.account !== account);
    const asked = mine().filter((tap) => tap.conflict).length;
    if (isOffline && !shelf) said.push(`No connection since ${clock(reachedAt)}. Showing what was true then.`);
    if (number && isOffline) said.push(`${count(number, "tap waits", "taps wait")} for the connection.`);
    else if (number && stopped) said.push(`${count(number, "tap waits", "taps wait")} to be sent. ${stopped}`);
    else if (number) said.push(`Sending ${count(number, "tap", "taps")}.`);
    if (asked) said.push(`${count(asked, "tap needs", "taps need")} you to decide.`);
    for (const name of new Set(others.map((tap) => tap.by))) {
      const theirs = others.filter((tap) => tap.by === name).length;
      said.push(`${count(theirs, "tap", "taps")} by ${name} ${theirs === 1 ? "waits" : "wait"} until ${name} signs in here.`);
    }
    if (notice) said.push(notice);
    return said.join(" ");
  };
  const draw = () => {
    const text = sentences();
    if (line.textContent !== text) line.textContent = text;
    bar.classList.toggle("is-shown", Boolean(text));
    bar.classList.toggle("is-offline", isOffline);
    bar.dataset.waiting = String(waiting().length);
    signIn.hidden = !stopped;
    signIn.href = `/staff/sign-in?next=${encodeURIComponent(location.pathname)}`;
    drawList();
  };
  const button = (text, css, deed) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = css;
    made.textContent = text;
    made.addEventListener("click", deed);
    return made;
  };
  const drawList = () => {
    const others = taps.filter((tap) => tap.account !== account);
    const asked = mine().filter((tap) => tap.conflict);
    const shape = JSON.stringify([asked.map((tap) => [tap.key, tap.conflict]), others.length]);
    if (list.dataset.shape === shape) return;
    list.dataset.shape = shape;
    list.replaceChildren(...asked.map(drawConflict));
    if (others.length) {
      const item = document.createElement("li");
      item.append(twice(`Delete ${count(others.length, "tap", "taps")} of somebody else`, "Press again to delete", () => settle(others.map((tap) => tap.key))));
      list.append(item);
    }
  };
  const drawConflict = (tap) => {
    const { sentence, stands, changed_at: changedAt, can_apply: canApply } = tap.conflict;
    const item = document.createElement("li");
    const what = document.createElement("b");
    what.textContent = `${tap.label}: ${tap.who || "a booking"}, tapped at ${clock(tap.at)}.`;
    const why = ` ${sentence}${changedAt ? ` Last changed at ${changedAt}.` : ""}${stands ? ` Now: ${stands}.` : ""}`;
    const text = document.createElement("p");
    text.append(what, why);
    item.append(text);
    const keys = document.createElement("div");
    if (canApply) keys.append(button("Apply anyway", "btn btn--quiet btn--sm", () => applyAnyway(tap)));
    keys.append(button("Leave it", "btn btn--bare btn--sm", () => settle([tap.key])));
    for (const one of keys.children) one.setAttribute("aria-label", `${one.textContent}: ${tap.label}, ${tap.who}`);
    item.append(keys);
    return item;
  };
  const twice = (first, second, deed) => {
    const made = button(first, "btn btn--bare btn--sm", () => {
      if (made.dataset.asked) deed();
      made.dataset.asked = "1";
      made.textContent = second;
    });
    return made;
  };
  const applyAnyway = async (tap) => {
    const { conflict, ...rest } = tap;
    await store.keep({ ...rest, seen: conflict.mark, confirmed: true });
    await load();
    replay();
  };
  const settle = async (keys) => {
    await store.drop(...keys);
    await load();
    refresh();
  };

  /* ---- The rows ------------------------------------------------------------------ */
  const originals = new Map(); /* what the house drew, to go back to */
  const parts = bar.querySelector("template").content;
  const part = (what) => parts.querySelector(what).cloneNode(true);
  const drawRows = () => {
    const ofRow = new Map();
    for (const tap of mine()) if (!tap.conflict && !tap.sending) ofRow.set(tap.booking, tap);
    for (const row of document.querySelectorAll("li[data-waits]")) if (!ofRow.has(row.dataset.booking)) putBack(row);
    for (const [booking, tap] of ofRow) {
      const row = document.getElementById(`b-${booking}`);
      if (row && row.dataset.waits !== tap.key) drawRow(row, tap);
    }
  };
  const putBack = (row) => {
    const original = originals.get(row.dataset.booking);
    if (!original) return null;
    const fresh = original.cloneNode(true);
    row.replaceWith(fresh);
    if (window.htmx) window.htmx.process(fresh);
    return fresh;
  };
  const drawRow = (drawn, tap) => {
    const hadFocus = drawn.contains(document.activeElement);
    if (!drawn.dataset.waits) originals.set(tap.booking, drawn.cloneNode(true));
    const row = drawn.dataset.waits ? putBack(drawn) : drawn;
    if (!row) return;
    row.dataset.waits = tap.key;
    row.dataset.booking = tap.booking;
    const box = row.querySelector(".rs");
    const old = box.querySelector(".state");
    const go = box.querySelector("form.act .go");
    box.className = `rs is-${tap.to}`;
    if (old) old.replaceWith(part(`[data-state="${tap.to}"]`));
    const notes = box.querySelector(".nt");
    if (notes) notes.append(part("[data-waits]"));
    for (const menu of box.querySelectorAll(".dots-menu, .no-menu")) menu.remove();
    const undo = button("Undo", "btn btn--bare take-back", () => takeBack(tap));
    undo.append(part("[data-of]"));
    undo.lastChild.textContent = ` ${tap.label} of ${tap.who}`;
    if (go) turnInto(go.closest("form"), go, tap);
    box.append(undo);
    if (hadFocus) (box.querySelector(".go") || undo).focus();
  };
  /* The form of the next step: the same form with another deed. */
  const turnInto = (form, go, tap) => {
    const next = NEXT[tap.to];
    if (!next) return form.remove();
    const [deed, field, value, text, css] = next;
    const url = tap.url.replace(/[^/]+$/, deed);
    form.action = url;
    form.setAttribute("hx-post", url);
    const input = form.elements.namedItem("set") || form.elements.namedItem("stage");
    input.name = field;
    input.value = value;
    const of = part("[data-of]");
    of.textContent = ` ${tap.who}`;
    go.className = css;
    go.replaceChildren(text, of);
  };
  const takeBack = async (tap) => {
    await store.drop(tap.key);
    const row = document.getElementById(`b-${tap.booking}`);
    const fresh = row && putBack(row);
    await load();
    const back = fresh && document.getElementById(fresh.id);
    if (back) (back.querySelector(".go") || back.querySelector("button"))?.focus();
  };

  /* ---- Tapping -------------------------------------------------------------------- */
  const keep = async (tap) => {
    const before = mine().filter((one) => one.booking === tap.booking && one.key !== tap.key).pop();
    /* The second press of a double one. */
    if (before && before.url === tap.url && before.value === tap.value && isWaiting(before)) return store.drop(tap.key).then(load);
    const { sending, ...rest } = tap;
    /* Tapped on top of another that waits: it has seen what that one makes of the booking. */
    await store.keep(before ? { ...rest, seen: before.seen, after: before.key } : rest);
    await load();
  };
  const put = (form, name, value) => {
    const field = form.elements.namedItem(name) || form.appendChild(document.createElement("input"));
    Object.assign(field, { type: "hidden", name, value });
  };
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (new URL(form.action).pathname === "/staff/sign-out") return leave(event, form);
      const tap = form.matches("[data-tap]") && account ? readTap(form) : null;
      if (!tap) return;
      if (isOffline || !window.htmx || mine().some((one) => !one.sending)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        keep(tap).then(() => (isOffline ? probe() : replay()));
      } else {
        put(form, "key", tap.key);
        tap.sending = Date.now();
        sent.set(tap.key, tap);
        taps.push(tap);
        store.keep(tap).catch(() => {});
      }
    },
    true
  );

  const keyOf = (ctx) => (ctx.request && ctx.request.body && ctx.request.body.get ? ctx.request.body.get("key") || "" : "");
  const lost = (ctx) => {
    const tap = sent.get(keyOf(ctx));
    loseConnection();
    if (tap) {
      sent.delete(tap.key);
      keep(tap);
    } else if (ctx.request && ctx.request.method === "POST") {
      notice = "What you just pressed was not done. Press it again when the connection is back.";
      draw();
    }
  };
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement.matches("[data-tap], [data-poll]")) ctx.request.timeout = PATIENCE;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (AWAY.includes(ctx.response.status)) {
      event.preventDefault();
      lost(ctx);
      return;
    }
    const tap = sent.get(keyOf(ctx));
    if (tap) {
      sent.delete(tap.key);
      /* Led to the sign-in: it was not done, and is when the same person is back. */
      if (ctx.response.headers.get("HX-Redirect")) keep(tap);
      else store.drop(tap.key).then(load);
      keepPage();
    }
    reach();
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) lost(event.detail.ctx);
  });
  document.addEventListener("htmx:after:swap", () => {
    drawRows();
    keepPage();
  });

  /* ---- The connection ------------------------------------------------------------ */
  let wait = 1000;
  let timer = 0;
  const loseConnection = () => {
    isOffline = true;
    draw();
    if (timer) return;
    timer = setTimeout(probe, wait);
    wait = Math.min(wait * 2, 5000);
  };
  const ask = async (url, options = {}) => {
    const ended = new AbortController();
    const limit = setTimeout(() => ended.abort(), PATIENCE);
    try {
      const answer = await fetch(url, { cache: "no-store", redirect: "manual", ...options, signal: ended.signal });
      if (AWAY.includes(answer.status)) throw new Error("away");
      return answer;
    } finally {
      clearTimeout(limit);
    }
  };
  let isProbing = false;
  const probe = async () => {
    if (isProbing) return;
    isProbing = true;
    clearTimeout(timer);
    timer = 0;
    try {
      await ask("/healthz");
      isProbing = false;
      reach();
    } catch {
      isProbing = false;
      loseConnection();
    }
  };
  const reach = () => {
    reachedAt = Date.now();
    wait = 1000;
    clearTimeout(timer);
    timer = 0;
    if (isOffline) {
      isOffline = false;
      notice = "";
      draw();
      replay().then(refresh);
    } else if (waiting().length) replay();
  };
  const refresh = () => {
    if (isOffline) return;
    const live = document.querySelectorAll("[data-poll]");
    for (const one of live) one.dispatchEvent(new CustomEvent("sundial:refresh"));
    if (isStandIn || (document.body.dataset.keptAt && !live.length)) location.reload();
    delete document.body.dataset.keptAt;
  };
  window.addEventListener("offline", loseConnection);
  window.addEventListener("online", probe);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && (isOffline || waiting().length)) probe();
  });

  /* ---- Sending what waits, in order, in one tab at a time ---------------------------- */
  let isReplaying = false;
  const replay = async () => {
    if (isReplaying || isOffline || !account) return;
    isReplaying = true;
    try {
      if (navigator.locks) await navigator.locks.request("sundial-replay", { ifAvailable: true }, (lock) => (lock ? sendAll() : null));
      else await sendAll();
    } catch {
      loseConnection();
    } finally {
      isReplaying = false;
      await load();
    }
  };
  const sendAll = async () => {
    taps = await store.all();
    const tokens = new Map();
    const held = new Set(mine().filter((tap) => tap.conflict).map((tap) => tap.booking));
    let number = 0;
    for (let tap = waiting()[0]; tap; tap = waiting().find((one) => !held.has(one.booking))) {
      if (held.has(tap.booking)) continue;
      if (!tokens.has(tap.site)) tokens.set(tap.site, await comeIn(tap.site));
      const token = tokens.get(tap.site);
      if (token === null) return;
      if (!(await send(tap, token))) held.add(tap.booking);
      else number += 1;
      taps = await store.all();
      draw();
    }
    if (number) refresh();
  };
  /* A fresh token; "" where this person has no say any more, null when nobody or somebody else is signed in. */
  const comeIn = async (place) => {
    const answer = await ask(`/staff/${place}/standing`, { headers: { Accept: "application/json" } });
    stopped = "";
    if (answer.ok) {
      const standing = await answer.json();
      if (standing.account === account) return standing.csrf;
      stopped = "Somebody else is signed in here now.";
      return null;
    }
    if (answer.status === 403 || answer.status === 404) return "";
    stopped = answer.type === "opaqueredirect" ? "Sign in again, and they are sent." : "The house can’t take them just now.";
    if (answer.type !== "opaqueredirect") throw new Error(`${answer.status}`);
    return null;
  };
  const send = async (tap, token) => {
    const body = new URLSearchParams({
      csrf_token: token, [tap.name]: tap.value, key: tap.key, seen: tap.seen || "-",
      ago: String(Math.max(0, Math.round((Date.now() - tap.at) / 1000))), confirmed: String(Boolean(tap.confirmed)),
    });
    const answer = token ? await ask(tap.url, { method: "POST", body, headers: { Accept: "application/json" } }) : null;
    if (answer && answer.ok) {
      const { mark } = await answer.json();
      const followers = mine().filter((one) => one.after === tap.key);
      await store.settle(tap.key, followers.map(({ after, ...one }) => ({ ...one, seen: mark })));
      return true;
    }
    if (answer && (answer.type === "opaqueredirect" || answer.status >= 500)) throw new Error("not taken");
    const said = answer ? await answer.json().catch(() => null) : null;
    await store.keep({ ...tap, conflict: said || { sentence: "The house did not take this tap.", can_apply: false } });
    return false;
  };
  store.onChange(load);

  /* ---- The worker, and leaving ---------------------------------------------------- */
  const worker = "serviceWorker" in navigator ? navigator.serviceWorker : null;
  const tell = async (message) => {
    const registered = worker && (await worker.ready.catch(() => null));
    if (registered && registered.active) registered.active.postMessage(message);
  };
  let keptNow = Date.now();
  const keepPage = () => {
    if (isOffline || !worker || !worker.controller || Date.now() - keptNow < FRESH) return;
    keptNow = Date.now();
    tell({ type: "keep", pages: [location.pathname], now: true });
  };
  const keepToday = async () => {
    if (!account || !site || isOffline) return;
    const answer = await ask(`/staff/${site}/standing`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const { pages } = await answer.json();
    tell({ type: "keep", pages });
  };
  let hasWarned = false;
  const leave = (event, form) => {
    if (taps.length && !hasWarned) {
      event.preventDefault();
      event.stopImmediatePropagation();
      hasWarned = true;
      notice = `${count(taps.length, "tap is", "taps are")} not sent yet and would be lost. Press Sign out again to leave all the same.`;
      draw();
      bar.scrollIntoView({ block: "nearest" });
      probe();
      return;
    }
    form.dataset.left = "1";
    tell({ type: "clear" });
  };

  if (worker && !shelf) {
    worker
      .register("/staff/sw.js", { scope: "/staff/" })
      .then(async () => {
        await tell({ type: "who", account });
        if (!account || !site) return;
        /* The page that brought the worker came before it, so it is fetched once more. */
        if (!worker.controller || /\/sessions\/[^/]+$/.test(location.pathname)) tell({ type: "keep", pages: [location.pathname] });
        setTimeout(keepToday, 2000);
      })
      .catch(() => {});
  }
  if (shelf && "caches" in window) {
    caches.open("sundial-pages-1").then(async (pages) => {
      for (const request of await pages.keys()) {
        const kept = await pages.match(request, { ignoreVary: true });
        if (!kept || Number(kept.headers.get("X-Kept-Until")) <= Date.now()) continue;
        const title = new DOMParser().parseFromString(await kept.text(), "text/html").title.split(" · ")[0];
        const item = document.createElement("li");
        const link = document.createElement("a");
        const [text, name, when] = ["span", "b", "span"].map((tag) => document.createElement(tag));
        link.className = "card";
        link.href = new URL(request.url).pathname;
        text.className = "grow";
        name.textContent = title;
        when.className = "faint small";
        when.textContent = `As it was at ${clock(Number(kept.headers.get("X-Kept-At")))}`;
        text.append(name, when);
        link.append(text);
        item.append(link);
        shelf.append(item);
      }
      shelf.hidden = !shelf.children.length;
    });
  }
  load().then(() => (isOffline || taps.length ? probe() : null)).catch(() => {});
})();
