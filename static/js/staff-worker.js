/* The desk's service worker: what staff read in the minutes without a connection.

   Kept are the roster and the schedule of the day, each only when the house allows it by a header
   (Sundial-Keep: whose page it is and for how many seconds; blueprints/keeping.py), with the files
   that draw them. No other page of anybody is kept. All of it goes when somebody signs out, when
   another person signs in, and after its time. The network is always asked first, and parts of
   pages, forms and everything that is not /staff/ never come from here. */
"use strict";
const PAGES = "sundial-pages-1";
const FILES = "sundial-files-1";
const NOTHING = "/staff/no-connection";
const WHO = "/staff/-/who";
const PATIENCE = 5000;
const FRESH = 5 * 60 * 1000;
const AWAY = [502, 503, 504];
const GONE = [403, 404, 410]; /* this person may not read it any more: what was kept goes, too */
let turn = 0;
let known = Promise.resolve(); /* whose pages they are: asked before the first is kept */

self.addEventListener("install", () => self.skipWaiting());

async function keepStandIn() {
  const files = await caches.open(FILES);
  const answer = await fetch(NOTHING, { credentials: "omit" });
  if (!answer.ok) return;
  await files.put(NOTHING, answer.clone());
  await keepFiles(await answer.text(), NOTHING);
}

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== PAGES && name !== FILES) await caches.delete(name);
      await throwAwayOld();
      await self.clients.claim();
    })()
  );
});

self.addEventListener("message", (event) => {
  const { type, account, pages, now } = event.data || {};
  if (type === "who") event.waitUntil(belongTo(account));
  if (type === "clear") event.waitUntil(clear());
  if (type === "keep") event.waitUntil(known.catch(() => {}).then(() => keepPages(pages.slice(0, 20), now)));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.method === "POST" && url.pathname.endsWith("/sign-out")) event.waitUntil(clear());
  if (request.method !== "GET") return;
  if (request.mode === "navigate") {
    if (url.pathname.startsWith("/staff/") && !request.headers.has("HX-Request")) event.respondWith(answerPage(event, url));
  } else if (isFile(url)) {
    event.respondWith(caches.match(request, { cacheName: FILES, ignoreVary: true }).then((kept) => kept || fetch(request)));
  }
});

const isFile = (url) => url.pathname.startsWith("/static/") || url.pathname.endsWith("/brand.css");

async function answerPage(event, url) {
  const kept = await findPage(url);
  const asked = fetch(event.request);
  try {
    const answer = await (kept ? inTime(asked) : asked);
    if (!AWAY.includes(answer.status)) {
      event.waitUntil(GONE.includes(answer.status) ? forget(url) : keepAnswer(answer.clone(), url, turn));
      return answer;
    }
    return kept ? await marked(kept) : answer;
  } catch {
    return kept ? marked(kept) : noConnection();
  }
}

const inTime = (asked) =>
  Promise.race([asked, new Promise((_, reject) => setTimeout(() => reject(new Error("slow")), PATIENCE))]);

async function findPage(url) {
  const pages = await caches.open(PAGES);
  const kept = await pages.match(url.pathname, { ignoreVary: true });
  return kept && Number(kept.headers.get("X-Kept-Until")) > Date.now() ? kept : undefined;
}

async function forget(url) {
  await (await caches.open(PAGES)).delete(url.pathname, { ignoreVary: true });
}

/* The page says itself that it is a kept one: offline.js reads when it was true. */
async function marked(kept) {
  const html = await kept.text();
  const at = kept.headers.get("X-Kept-At");
  return new Response(html.replace("<body", `<body data-kept-at="${at}"`), { headers: kept.headers });
}

async function noConnection() {
  const kept = await caches.match(NOTHING, { cacheName: FILES, ignoreVary: true });
  if (!kept) return Response.error();
  return new Response(kept.body, { status: 503, headers: kept.headers });
}

async function keepPages(paths, isNow) {
  await throwAwayOld();
  for (const path of paths) {
    const began = turn;
    const url = new URL(path, self.location.origin);
    const kept = await findPage(url);
    if (kept && !isNow && Date.now() - Number(kept.headers.get("X-Kept-At")) < FRESH) continue;
    try {
      await keepAnswer(await fetch(url.pathname, { redirect: "manual" }), url, began);
    } catch {
      return;
    }
  }
  if (!(await caches.match(NOTHING, { cacheName: FILES, ignoreVary: true }))) await keepStandIn().catch(() => {});
}

/* `began` is the turn in which it was asked for: what arrives after a sign-out is not kept. */
async function keepAnswer(answer, url, began) {
  const [account, seconds] = (answer.headers.get("Sundial-Keep") || "").split(" ");
  if (answer.status !== 200 || !seconds || url.search) return;
  const html = await answer.text();
  await keepFiles(html, url.pathname);
  if (began !== turn) return;
  await belongTo(account);
  const headers = new Headers(answer.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  headers.set("X-Kept-At", String(Date.now()));
  headers.set("X-Kept-Until", String(Date.now() + Number(seconds) * 1000));
  const pages = await caches.open(PAGES);
  await pages.put(url.pathname, new Response(html, { headers }));
}

/* Stylesheets, scripts and icons that a page names, and fonts that its stylesheets name. */
async function keepFiles(text, base) {
  const files = await caches.open(FILES);
  const found = [...text.matchAll(/<(?:link|script)\b[^>]*?\b(?:href|src)="([^"]+)"/g), ...text.matchAll(/url\(["']?([^"')]+\.woff2)["']?\)/g)];
  const wanted = found.map((one) => new URL(one[1].replaceAll("&amp;", "&"), new URL(base, self.location.origin)));
  await Promise.all(
    wanted.map(async (url) => {
      if (url.origin !== self.location.origin || !isFile(url)) return;
      if (await files.match(url.href, { ignoreVary: true })) return;
      const answer = await fetch(url.href);
      if (!answer.ok) return;
      await files.put(url.href, answer.clone());
      if (url.pathname.endsWith(".css")) await keepFiles(await answer.text(), url.pathname);
    })
  );
  const file = wanted.find((url) => url.pathname.startsWith("/static/"));
  if (file) await forgetOtherDigests(files, file);
}

/* The address of every file names the state of all of them: another state's are of no more use. */
async function forgetOtherDigests(files, url) {
  const digest = /^\/static\/[^/]+\//.exec(url.pathname);
  if (!digest) return;
  for (const request of await files.keys()) {
    const path = new URL(request.url).pathname;
    if (path.startsWith("/static/") && !path.startsWith(digest[0])) await files.delete(request);
  }
}

/* One after the other: two that learn of the same person at once would clear twice. */
function belongTo(account) {
  known = known.catch(() => {}).then(async () => {
    const files = await caches.open(FILES);
    const before = await files.match(WHO);
    if (before && (await before.text()) === account) return;
    await clear();
    await files.put(WHO, new Response(account));
  });
  return known;
}

async function clear() {
  turn += 1;
  await caches.delete(PAGES);
  await (await caches.open(FILES)).delete(WHO);
}

async function throwAwayOld() {
  const pages = await caches.open(PAGES);
  for (const request of await pages.keys()) {
    const kept = await pages.match(request, { ignoreVary: true });
    if (kept && Number(kept.headers.get("X-Kept-Until")) <= Date.now()) await pages.delete(request);
  }
}
