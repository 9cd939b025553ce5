"use strict";

// The page asks for the streams once a second, and for the last messages of the chosen stream when it
// has moved. Everything from the broker goes in as text, never as markup.
const everyMilliseconds = 1000;
const lastMessages = 10;
const longestPayload = 1200;
const samples = 60;

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const samplesOf = new Map(); // stream name -> [{at, last}], the newest at the end
let chosen = "";
let shown = ""; // which messages stand on the page: stream, last sequence, how many there are, and how many are lost
let paused = false;

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) { bytes /= 1024; step++; }
  return `${step === 0 ? bytes : bytes.toFixed(1)} ${units[step]}`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// say tells the status, and only a change of it: a screen reader reads every one out.
function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

function rates(name) {
  const seen = samplesOf.get(name) ?? [];
  const found = [];
  for (let i = 1; i < seen.length; i++) {
    const seconds = (seen[i].at - seen[i - 1].at) / 1000;
    found.push(Math.max(0, (seen[i].last - seen[i - 1].last) / seconds));
  }
  return found;
}

function remember(stream, at) {
  const seen = samplesOf.get(stream.name) ?? [];
  seen.push({ at, last: stream.lastSequence });
  if (seen.length > samples + 1) seen.shift();
  samplesOf.set(stream.name, seen);
}

const svgSpace = "http://www.w3.org/2000/svg";

function newRow(name) {
  const row = document.createElement("tr");
  row.dataset.name = name;
  const head = element("th");
  head.scope = "row";
  const button = element("button", name);
  button.type = "button";
  button.addEventListener("click", () => { chosen = name; shown = ""; tick(); });
  head.append(button);
  row.append(head);
  for (let i = 0; i < 3; i++) row.append(element("td", "", "number"));
  const chart = document.createElementNS(svgSpace, "svg");
  chart.setAttribute("viewBox", `0 0 ${samples} 20`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true"); // the rate beside it says the same
  chart.append(document.createElementNS(svgSpace, "polyline"));
  const cell = element("td");
  cell.append(chart);
  row.append(cell);
  for (let i = 0; i < 3; i++) row.append(element("td", "", "number"));
  return row;
}

function fillRow(row, stream) {
  const seen = rates(stream.name);
  const rate = seen.length ? seen[seen.length - 1] : 0;
  const texts = {
    1: number.format(stream.messages),
    2: number.format(stream.subjects) + (stream.maxMsgsPer ? `, ${number.format(stream.maxMsgsPer)} of each` : ""),
    3: stream.failed ? "disk failed" : number.format(Math.round(rate)),
    5: `${size(stream.bytes)} of ${size(stream.maxBytes)}`,
    6: number.format(stream.firstSequence),
    7: number.format(stream.lastSequence),
  };
  for (const [cell, text] of Object.entries(texts)) row.cells[cell].textContent = text;
  row.cells[3].classList.toggle("failed", Boolean(stream.failed));
  row.querySelector("button").setAttribute("aria-pressed", String(stream.name === chosen));
  const top = Math.max(1, ...seen);
  row.querySelector("polyline").setAttribute("points",
    seen.map((value, i) => `${samples - seen.length + i},${19 - (18 * value) / top}`).join(" "));
}

// showStreams keeps the rows that are there, so that the keyboard's focus stays where it is.
function showStreams(streams) {
  const body = byId("streams");
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  for (const stream of streams) {
    const row = rows.get(stream.name) ?? body.appendChild(newRow(stream.name));
    rows.delete(stream.name);
    fillRow(row, stream);
  }
  for (const gone of rows.values()) gone.remove();
  showLost(streams.filter((stream) => stream.lostMessages > 0));
  byId("none").hidden = streams.length > 0;
  byId("table").hidden = streams.length === 0;
  byId("messages-section").hidden = streams.length === 0;
}

// showLost says how many messages the disk has spoilt, and what to do.
function showLost(streams) {
  const counts = streams.map((stream) => `${number.format(stream.lostMessages)} of ${stream.name}`);
  const text = streams.length === 0 ? "" : `Messages are lost: ${counts.join(", ")}. The disk has spoilt them; all others are there. ` +
    "Copy the data folder before anything else, check the disk, and take what you need from a backup. The log says which they are.";
  if (byId("lost").textContent !== text) byId("lost").textContent = text;
  byId("lost").hidden = streams.length === 0;
}

function lostItem({ first, last }) {
  const range = first === last ? `sequence ${number.format(first)}` : `sequences ${number.format(first)} to ${number.format(last)}`;
  return element("li", `Lost: ${range}`, "lost");
}

function messageItem(message) {
  if (message.lost) return lostItem(message.lost);
  const item = element("li");
  const about = element("div", undefined, "about");
  about.append(element("span", message.subject, "subject"));
  about.append(element("span", `sequence ${number.format(message.sequence)}`));
  const time = element("time", new Date(message.time).toLocaleString());
  time.dateTime = message.time;
  about.append(time);
  const ttl = message.header?.["Nats-TTL"]?.[0];
  if (ttl) about.append(element("span", /^[0-9]+$/.test(ttl) ? `lives ${ttl} s` : ttl.toLowerCase() === "never" ? "lives for ever" : `lives ${ttl}`));
  const remove = element("button", "Remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove message ${message.sequence}`);
  remove.addEventListener("click", () => removeMessages(chosen, `/${message.sequence}`));
  about.append(remove);
  item.append(about);
  const text = message.payload ?? (message.payloadBase64 ? `base64: ${message.payloadBase64}` : "");
  item.append(element("pre", text.length > longestPayload ? `${text.slice(0, longestPayload)}…` : text));
  return item;
}

async function get(path, method = "GET") {
  const response = await fetch(path, { method, signal: AbortSignal.timeout(30000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`);
  return text;
}

// removeMessages takes messages out of a stream: what says which, behind the path of all of them.
async function removeMessages(stream, what) {
  try {
    const { removed } = JSON.parse(await get(`/streams/${encodeURIComponent(stream)}/messages${what}`, "DELETE"));
    byId("removed").textContent = `${number.format(removed)} removed from ${stream}`;
  } catch (error) {
    byId("removed").textContent = `Nothing is known to be removed: ${error.message}`;
  }
  tick();
}

byId("remove").addEventListener("submit", (event) => {
  event.preventDefault();
  const subject = byId("remove-subject").value.trim();
  const below = byId("remove-below").value;
  const keep = byId("remove-keep").value;
  const query = new URLSearchParams();
  if (subject || !below) query.set("subject", subject || ">");
  if (below) query.set("below", below);
  if (keep) query.set("keep", keep);
  const words = `Remove ${subject ? `messages of ${subject}` : "all messages"} of the stream ${chosen}` +
    `${below ? ` below sequence ${below}` : ""}${keep ? `, but for the newest ${keep}` : ""}?`;
  if (confirm(words)) removeMessages(chosen, `?${query}`);
});

async function showMessages(stream) {
  byId("messages-heading").textContent = stream ? `Last messages of ${stream.name}` : "Last messages";
  const wanted = stream && stream.messages > 0 ? `${stream.name} ${stream.lastSequence} ${stream.messages} ${stream.lostMessages ?? 0}` : "";
  if (wanted === shown) return;
  if (wanted === "") { byId("messages").replaceChildren(); shown = wanted; return; }
  const from = Math.max(1, stream.firstSequence, stream.lastSequence - lastMessages + 1);
  const text = await get(`/streams/${encodeURIComponent(stream.name)}/messages?from=${from}&limit=${lastMessages}`);
  const items = text.split("\n").filter(Boolean).map((line) => messageItem(JSON.parse(line)));
  byId("messages").replaceChildren(...items.reverse());
  shown = wanted;
}

let ticking = false;

async function tick() {
  if (ticking) return;
  ticking = true;
  try {
    const { streams } = JSON.parse(await get("/streams"));
    const now = performance.now();
    for (const stream of streams) remember(stream, now);
    if (!streams.some((stream) => stream.name === chosen)) chosen = streams[0]?.name ?? "";
    showStreams(streams);
    await showMessages(streams.find((stream) => stream.name === chosen));
    say(paused ? "Paused" : "Live");
  } catch (error) {
    say(`The broker does not answer: ${error.message}`);
  } finally {
    ticking = false;
  }
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  say(paused ? "Paused" : "Live");
});
byId("curl").textContent = `curl --data-binary 'hello' ${location.origin}/streams/greetings/greetings.first`;
setInterval(() => { if (!paused && !document.hidden) tick(); }, everyMilliseconds);
tick();
