// Tonight beyond the page: prints it, and has the browser keep a copy for when Portal cannot be reached.
(function () {
  "use strict";

  const SAVE_EVERY_MS = 60000;
  const LOOK_EVERY_MS = 10000;
  const root = document.documentElement;

  function showButtons() {
    for (const button of document.querySelectorAll("[data-prints][hidden]")) {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    }
  }
  showButtons();
  document.addEventListener("htmx:afterSwap", showButtons);

  if ("saved" in root.dataset) {
    const back = async () => {
      try {
        const answer = await fetch("/healthz", { cache: "no-store" });
        if (answer.ok) window.location.reload();
      } catch {
        // Still out of reach.
      }
    };
    window.setInterval(back, LOOK_EVERY_MS);
    return;
  }

  if (window.location.pathname !== "/tonight/") return;
  if (!("serviceWorker" in navigator)) return;
  let savedAt = 0;
  async function save() {
    const ready = await navigator.serviceWorker.ready;
    savedAt = Date.now();
    ready.active.postMessage("save");
  }
  navigator.serviceWorker
    .register("/tonight/worker.js", { scope: "/tonight/" })
    .then(save)
    .catch(() => undefined); // a browser that keeps nothing still shows the page

  const live = document.getElementById("live");
  if (!live) return;
  new MutationObserver(() => {
    showButtons();
    if (Date.now() - savedAt > SAVE_EVERY_MS) save();
  }).observe(live, { attributes: true, attributeFilter: ["data-pulse", "data-read"] });
})();
