// Keeps open pages true: asks one number every second and, when it has grown, reads the page's main part again and
// changes only what differs, so that focus, open menus and typed words stay. Also the few things forms are nicer with.
(function () {
  "use strict";

  const EVERY_MS = 1000;
  const HIDDEN_MS = 15000;
  const AFTER_TROUBLE_MS = 5000;

  // --- changing only what differs -----------------------------------------------------------------------------------
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function syncAttributes(old, fresh) {
    for (const { name } of [...old.attributes]) {
      const theirs = old.nodeName === "DETAILS" && name === "open";
      if (!fresh.hasAttribute(name) && !theirs) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  }

  function syncChildren(old, fresh) {
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = at;
      while (found && !alike(found, wanted)) found = found.nextSibling;
      const mayTake = found && (found === at || keyOf(wanted));
      if (mayTake) {
        if (found !== at) old.insertBefore(found, at);
        else at = at.nextSibling;
        sync(found, wanted);
      } else {
        old.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function sync(old, fresh) {
    if (old.nodeType === 3 || old.nodeType === 8) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    if (old.dataset && old.hasAttribute("data-keep")) return;
    syncAttributes(old, fresh);
    syncChildren(old, fresh);
  }

  // --- the pulse ----------------------------------------------------------------------------------------------------
  const live = () => document.getElementById("live");
  let known = null;
  let busy = false;
  let readAt = Date.now();
  const isOld = () => Date.now() - readAt > 1000 * Number(live().dataset.every || Infinity);

  async function refresh() {
    const at = window.location.href;
    const answer = await fetch(at, { headers: { "X-Live": "1" }, credentials: "same-origin" });
    if (answer.status === 401) return window.location.reload();
    if (!answer.ok || window.location.href !== at) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const old = live();
    if (!fresh || !old) return;
    sync(old, fresh);
    const notice = document.getElementById("alerts");
    const freshNotice = page.getElementById("alerts");
    if (notice && freshNotice) sync(notice, freshNotice);
    if (window.htmx) window.htmx.process(old);
    known = fresh.dataset.pulse;
    readAt = Date.now();
  }

  async function look() {
    if (busy || !live()) return EVERY_MS;
    busy = true;
    try {
      const answer = await fetch(`/pulse/?n=${encodeURIComponent(known)}`, { credentials: "same-origin" });
      if (answer.status === 401) window.location.reload();
      if (answer.status === 200 || (answer.status === 204 && isOld())) await refresh();
      document.documentElement.toggleAttribute("data-stale", !(answer.status === 204 || answer.ok));
      return answer.status >= 400 ? AFTER_TROUBLE_MS : EVERY_MS;
    } catch {
      document.documentElement.setAttribute("data-stale", "");
      return AFTER_TROUBLE_MS;
    } finally {
      busy = false;
    }
  }

  async function beat() {
    const wait = await look();
    window.setTimeout(beat, document.hidden ? HIDDEN_MS : wait);
  }

  // Who is signed out leaves no copy of Tonight behind.
  if (document.querySelector("[data-forgets]")) {
    if ("caches" in window) caches.delete("portal-tonight");
  }

  // A page that shows a code is an answer to a POST: it stays as it is until it is left.
  if (live() && !("still" in live().dataset) && !("saved" in document.documentElement.dataset)) {
    known = live().dataset.pulse;
    window.setTimeout(beat, EVERY_MS);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) look();
    });
    document.addEventListener("htmx:afterSwap", () => {
      if (live()) known = live().dataset.pulse;
    });
  }

  // --- small comforts -----------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.removeAttribute("open");
      menu.querySelector("summary").focus();
    }
    for (const tip of document.querySelectorAll(".tip:hover, .tip:focus-within")) tip.classList.add("tip-shut");
  });
  document.addEventListener("mouseout", (event) => {
    const tip = event.target.closest && event.target.closest(".tip");
    if (tip && !tip.contains(event.relatedTarget)) tip.classList.remove("tip-shut");
  });
  document.addEventListener("focusout", (event) => {
    const tip = event.target.closest && event.target.closest(".tip");
    if (tip) tip.classList.remove("tip-shut");
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) return event.preventDefault();
    if (event.target.method === "post") {
      event.target.dataset.sent = "1";
      window.setTimeout(() => delete event.target.dataset.sent, 4000);
    }
  });
  for (const button of document.querySelectorAll("[data-copies]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).value);
      button.textContent = "Copied";
    });
  }
  document.addEventListener("input", (event) => {
    const box = event.target;
    if (!box.dataset || !box.dataset.narrows) return;
    const wanted = box.value.trim().toLowerCase();
    for (const pick of document.querySelectorAll(`#${box.dataset.narrows} .pick`)) {
      pick.hidden = !pick.textContent.toLowerCase().includes(wanted) && !pick.querySelector(":checked");
    }
  });
})();
