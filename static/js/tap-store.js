/* Taps of the desk that the house has not confirmed yet, in the browser's own database: they
   outlive a reload and a closed tab. One row a tap; its key makes the house do it once (H6). */
(() => {
  "use strict";
  const changes = "BroadcastChannel" in window ? new BroadcastChannel("sundial-taps") : null;
  let opened = null;

  const open = () => {
    opened ||= new Promise((resolve, reject) => {
      const asked = indexedDB.open("sundial-desk", 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("taps", { keyPath: "key" });
      asked.onsuccess = () => {
        /* Signing out deletes the database: let go of it, and open another when asked again. */
        asked.result.onversionchange = asked.result.onclose = () => {
          asked.result.close();
          opened = null;
        };
        resolve(asked.result);
      };
      asked.onerror = () => {
        opened = null;
        reject(asked.error);
      };
    });
    return opened;
  };

  /* All of `deeds` in one transaction; what the last of them found. */
  const within = async (mode, ...deeds) => {
    const base = await open();
    return new Promise((resolve, reject) => {
      const turn = base.transaction("taps", mode);
      const asked = deeds.map((deed) => deed(turn.objectStore("taps")));
      turn.oncomplete = () => {
        if (mode === "readwrite" && changes) changes.postMessage("changed");
        resolve(asked.length ? asked[asked.length - 1].result : undefined);
      };
      turn.onabort = turn.onerror = () => reject(turn.error);
    });
  };

  window.sundialTaps = {
    /* In the order in which they were made. */
    all: async () => (await within("readonly", (taps) => taps.getAll())).sort((a, b) => a.at - b.at || a.turn - b.turn),
    keep: (...kept) => within("readwrite", ...kept.map((tap) => (taps) => taps.put(tap))),
    drop: (...keys) => within("readwrite", ...keys.map((key) => (taps) => taps.delete(key))),
    /* One was done: it goes, and those that follow it learn how the booking stands now, or neither. */
    settle: (key, followers) =>
      within("readwrite", (taps) => taps.delete(key), ...followers.map((tap) => (taps) => taps.put(tap))),
    onChange: (told) => {
      if (changes) changes.onmessage = told;
    },
  };
})();
