// Keeps the page as it is at the receiver. Without this file the page reloads itself every ten seconds.
"use strict";

const QUIET_MS = 30000; // Three heartbeats: after that the receiver, or the way to it, is taken for gone.
const AGAIN_MS = 3000; // Between attempts to reach it, give or take half of that.
const NEWS_MS = 6000; // As long as style.css shows a changed row.

const live = document.getElementById("live");
const said = document.getElementById("said");
const connection = document.getElementById("connection");

let ahead = Number(connection.dataset.now) * 1000 - Date.now(); // The receiver's clock, by ours.
let heardAt = Date.now();
let triedAt = heardAt;
let source = null;
let lostSince = null;

// As page/words.py says it.
function age(seconds) {
  if (seconds < 60) return `${Math.min(59, Math.max(0, Math.round(seconds)))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function sentences(root) {
  return new Map([...root.querySelectorAll("[data-said]")].map((one) => [one.dataset.name, one.dataset.said]));
}

// What changed, in a sentence each: only that is read out.
function news(before, after) {
  const changed = [...after].filter(([name, sentence]) => before.get(name) !== sentence);
  const gone = [...before.keys()].filter((name) => !after.has(name)).map((name) => [name, `${name} was removed.`]);
  return new Map([...changed, ...gone]);
}

// Sections that are as they were stay untouched, and with them focus and selection in them.
const received = new Map();

function show(html) {
  const arrived = document.createElement("template");
  arrived.innerHTML = html;
  const before = sentences(live);
  for (const one of arrived.content.querySelectorAll(".age")) one.textContent = ""; // It is counted here.
  for (const section of arrived.content.querySelectorAll("section")) {
    if (received.get(section.id) === section.innerHTML) continue;
    received.set(section.id, section.innerHTML);
    const old = document.getElementById(section.id);
    old.replaceChildren(...section.childNodes);
    if (section.dataset.title) document.title = section.dataset.title;
  }
  const changed = news(before, sentences(live));
  if (changed.size > 0) said.textContent = [...changed.values()].join(" ");
  for (const row of live.querySelectorAll("tr[data-name]")) {
    if (!changed.has(row.dataset.name)) continue;
    row.classList.add("news");
    setTimeout(() => row.classList.remove("news"), NEWS_MS);
  }
  count();
}

function count() {
  const now = (Date.now() + ahead) / 1000;
  for (const one of document.querySelectorAll("[data-at]")) {
    const text = `${age(now - Number(one.dataset.at))} ago`;
    if (one.textContent !== text) one.textContent = text;
  }
}

function heard(event) {
  heardAt = Date.now();
  if (event.lastEventId) ahead = Number(event.lastEventId) * 1000 - heardAt;
  if (connection.textContent.trim() === "● live") return;
  if (lostSince) said.textContent = "The receiver is reached again.";
  lostSince = null;
  connection.className = "";
  connection.textContent = "● live";
}

function lost() {
  if (lostSince) return;
  lostSince = new Date(heardAt + ahead).toISOString().slice(11, 19);
  connection.className = "lost";
  connection.textContent = `✕ The receiver was last heard at ${lostSince} UTC: this may be old.`;
  said.textContent = connection.textContent.slice(2);
}

function follow() {
  triedAt = Date.now();
  source?.close();
  source = new EventSource("/page/events");
  source.addEventListener("page", (event) => { heard(event); show(event.data); });
  source.addEventListener("beat", heard);
  source.addEventListener("signed-out", () => { source.close(); location.assign("/sign-in"); });
  source.addEventListener("error", () => { lost(); if (source.readyState === EventSource.CLOSED) again(); });
}

// A browser gives up for good when the answer is no stream: then it is for us to ask why.
function again() {
  setTimeout(async () => {
    try {
      const answer = await fetch("/", { redirect: "manual" });
      if (answer.type === "opaqueredirect") location.assign("/sign-in");
      else if (answer.ok) follow();
      else again();
    } catch {
      again();
    }
  }, AGAIN_MS * (0.5 + Math.random()));
}

setInterval(() => {
  count();
  if (Date.now() - Math.max(heardAt, triedAt) > QUIET_MS) { lost(); follow(); }
}, 1000);
follow();
