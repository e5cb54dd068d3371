// Keeps one copy of Tonight, without anything that could act, and shows it only while Portal cannot be reached.
"use strict";

const KEPT = "portal-tonight";
const PAGE = "/tonight/";
const TOO_OLD_MS = 24 * 3600 * 1000;
const PATIENCE_MS = 8000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const forget = () => caches.delete(KEPT);
const isOurs = (answer) => answer.ok && !answer.redirected;

async function keep(answer) {
  const told = await answer.text();
  const cache = await caches.open(KEPT);
  const plain = told.replace(/(name="csrfmiddlewaretoken" value=")[^"]*"/g, '$1"');
  const headers = new Headers(answer.headers);
  headers.set("X-Kept-At", String(Date.now()));
  await cache.put(PAGE, new Response(plain, { headers }));
  const parts = [...plain.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map((found) => found[1]);
  await Promise.allSettled([...new Set(parts)].map((part) => keepPart(cache, part)));
}

async function keepPart(cache, part) {
  if (await cache.match(part)) return;
  const answer = await fetch(part);
  if (answer.ok) await cache.put(part, answer);
}

async function save() {
  const answer = await fetch(PAGE, { credentials: "same-origin", cache: "no-store" });
  if (isOurs(answer)) await keep(answer);
  else if (answer.redirected || answer.status === 403) await forget();
}

async function copy() {
  const cache = await caches.open(KEPT);
  const kept = await cache.match(PAGE);
  if (!kept) return Response.error();
  if (Date.now() - Number(kept.headers.get("X-Kept-At")) > TOO_OLD_MS) {
    await forget();
    return Response.error();
  }
  const told = (await kept.text()).replace("<html ", "<html data-saved ");
  return new Response(told, { headers: kept.headers });
}

async function page(request) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(request, { signal: stop.signal });
    if (answer.status >= 502 && answer.status <= 504) return await copy();
    if (answer.redirected || answer.type === "opaqueredirect" || answer.status === 403) await forget();
    return answer;
  } catch {
    return await copy();
  } finally {
    clearTimeout(timer);
  }
}

async function part(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) || Response.error();
  }
}

self.addEventListener("message", (event) => {
  if (event.data === "save") event.waitUntil(save().catch(() => undefined));
  if (event.data === "forget") event.waitUntil(forget());
});

self.addEventListener("fetch", (event) => {
  const at = new URL(event.request.url);
  if (event.request.method !== "GET" || at.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && at.pathname === PAGE) event.respondWith(page(event.request));
  else if (at.pathname.startsWith("/static/")) event.respondWith(part(event.request));
});
