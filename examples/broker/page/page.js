"use strict";

// The page asks for the streams once a second, and for the last messages of the chosen stream when it
// has moved. Everything from the broker goes in as text, never as markup.
const everyMilliseconds = 1000;
const lastMessages = 10;
const longestPayload = 1200;
const samples = 60;

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let chosen = "";
let shown = ""; // which messages stand on the page: stream, last sequence, how many there are, and how many are lost
let paused = false;

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) { bytes /= 1024; step++; }
  return `${step === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[step]}`;
}

function duration(seconds) {
  if (seconds === 0) return "none";
  return seconds >= 1 ? `${seconds.toPrecision(3)} s` : `${Number((seconds * 1000).toPrecision(3))} ms`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// put sets a text, and only when it changes: a screen reader reads every change out.
function put(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

const svgSpace = "http://www.w3.org/2000/svg";

// The cells of a row behind the name of its stream.
const cells = ["number", "wide", "number size", "number", "number wide", "number wide", "number wide"];

function newRow(name) {
  const row = document.createElement("tr");
  row.dataset.name = name;
  const head = element("th");
  head.scope = "row";
  const button = element("button", name);
  button.type = "button";
  button.addEventListener("click", () => choose(name));
  head.append(button);
  row.append(head, ...cells.map((className) => element("td", "", className)));
  const chart = document.createElementNS(svgSpace, "svg");
  chart.setAttribute("viewBox", `0 0 ${samples} 20`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true"); // the rate beside it says the same
  chart.append(document.createElementNS(svgSpace, "polyline"));
  row.cells[2].append(chart);
  row.cells[3].append(element("span"), " ", element("span"));
  return row;
}

// choose shows the messages of a stream, and takes the reader to them: they may be far below.
function choose(name) {
  chosen = name;
  shown = "";
  byId("messages").replaceChildren();
  put("messages-heading", `Last messages of ${name}`);
  put("chosen", `The last messages of ${name} are shown.`);
  byId("messages-heading").focus({ preventScroll: true });
  byId("messages-heading").scrollIntoView({ block: "start" });
  tick();
}

function state(stream) {
  if (stream.refused) return "cannot be opened";
  if (stream.failed) return "disk failed";
  return stream.full ? "full" : "";
}

function fillRow(row, stream) {
  const seen = stream.lately?.storedPerSecond ?? [];
  const wrong = state(stream);
  const known = (text) => (stream.refused ? "" : text);
  const texts = {
    1: wrong || number.format(Math.round(seen[seen.length - 1] ?? 0)),
    4: known(number.format(stream.messages)),
    5: known(number.format(stream.subjects) + (stream.maxMsgsPer ? `, ${number.format(stream.maxMsgsPer)} of each` : "")),
    6: known(number.format(stream.firstSequence)),
    7: known(number.format(stream.lastSequence)),
  };
  for (const [cell, text] of Object.entries(texts)) row.cells[cell].textContent = text;
  const [held, most] = row.cells[3].children;
  held.textContent = known(size(stream.bytes));
  most.textContent = known(`of ${size(stream.maxBytes)}`);
  row.cells[1].classList.toggle("failed", wrong !== "");
  row.toggleAttribute("aria-current", stream.name === chosen);
  row.querySelector("button").setAttribute("aria-pressed", String(stream.name === chosen));
  const top = Math.max(1, ...seen);
  row.querySelector("polyline").setAttribute("points",
    seen.map((value, i) => `${samples - seen.length + i},${19 - (18 * value) / top}`).join(" "));
}

// showStreams keeps the rows that are there, so that the keyboard's focus stays where it is.
function showStreams(streams, total) {
  const body = byId("streams");
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  streams.forEach((stream, place) => {
    const row = rows.get(stream.name) ?? newRow(stream.name);
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
    rows.delete(stream.name);
    fillRow(row, stream);
  });
  for (const gone of rows.values()) gone.remove();
  put("total-stored", number.format(Math.round(total.storedPerSecond)));
  put("total-bytes", size(total.bytesPerSecond));
  put("total-commit", duration(total.commitP99Seconds));
  showAlerts(streams);
  byId("none").hidden = streams.length > 0;
  byId("table").hidden = streams.length === 0;
  byId("messages-section").hidden = streams.length === 0;
}

// alertsOf says what is wrong with a stream, and what to do: pairs of both.
function alertsOf(stream) {
  const found = [];
  if (stream.refused) {
    found.push([`${stream.name} cannot be opened: ${stream.refused.reason}.`, `${stream.refused.todo}. All other streams are served.`]);
  }
  if (stream.failed && !stream.full) {
    found.push([`The disk of ${stream.name} has failed.`, "New messages are refused; it comes back by itself when the disk does. The log says what failed."]);
  }
  if (stream.full) {
    found.push([`There is no room in ${stream.name}: ${stream.full}.`, "Make room; it goes on by itself."]);
  }
  if (stream.lostMessages > 0) {
    found.push([`Messages are lost: ${number.format(stream.lostMessages)} of ${stream.name}.`,
      "The disk has spoilt them; all others are there. Copy the data folder before anything else, check the disk, and take what you need from a backup. The log says which they are."]);
  }
  return found;
}

function showAlerts(streams) {
  const all = streams.flatMap(alertsOf);
  const list = byId("alerts");
  const said = JSON.stringify(all);
  if (list.dataset.said === said) return;
  list.dataset.said = said;
  list.replaceChildren(...all.map(([what, todo]) => {
    const item = element("li");
    item.append(element("b", what), ` ${todo}`);
    return item;
  }));
  list.hidden = all.length === 0;
}

function lostItem({ first, last }) {
  const range = first === last ? `sequence ${number.format(first)}` : `sequences ${number.format(first)} to ${number.format(last)}`;
  return element("li", `Lost: ${range}`, "lost");
}

function headerList(header) {
  const list = element("dl", undefined, "header");
  for (const [name, values] of Object.entries(header)) {
    for (const value of values) {
      const pair = element("div");
      pair.append(element("dt", visible(name)), element("dd", visible(value)));
      list.append(pair);
    }
  }
  return list;
}

// payloadText is a payload for reading: JSON on lines of its own, bytes that are no text in base64.
function payloadText(message) {
  if (message.payload === undefined) return message.payloadBase64 ? `base64: ${message.payloadBase64}` : "";
  const short = message.payload.length <= 20 * longestPayload;
  return visible((short && prettyJSON(message.payload)) || message.payload, true);
}

function messageItem(message) {
  if (message.lost) return lostItem(message.lost);
  const item = element("li");
  const about = element("div", undefined, "about");
  about.append(element("span", visible(message.subject), "subject"));
  about.append(element("span", `sequence ${number.format(message.sequence)}`));
  const time = element("time", new Date(message.time).toLocaleString());
  time.dateTime = message.time;
  about.append(time);
  const remove = element("button", "Remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove message ${message.sequence}`);
  remove.addEventListener("click", () => removeMessages(chosen, `/${message.sequence}`));
  about.append(remove);
  item.append(about);
  if (message.header) item.append(headerList(message.header));
  const text = payloadText(message);
  item.append(element("pre", text.length > longestPayload ? `${text.slice(0, longestPayload)}…` : text));
  return item;
}

// get returns the text of an answer. A refusal is an error with the sentence of the broker.
async function get(path, method = "GET") {
  const response = await fetch(path, { method, signal: AbortSignal.timeout(30000) });
  const text = await response.text();
  if (response.ok) return text;
  let sentence = text.slice(0, 200);
  try { sentence = JSON.parse(text).error ?? sentence; } catch { /* it is no JSON, and stands as it is */ }
  throw new Refused(`${sentence} (${response.status})`);
}

// A Refused is an answer, and no silence.
class Refused extends Error {}

// removeMessages takes messages out of a stream: what says which, behind the path of all of them.
async function removeMessages(stream, what) {
  try {
    const { removed } = JSON.parse(await get(`/streams/${encodeURIComponent(stream)}/messages${what}`, "DELETE"));
    put("removed", `${number.format(removed)} removed from ${stream}`);
  } catch (error) {
    put("removed", `Nothing is known to be removed: ${error.message}`);
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

byId("delete").addEventListener("click", async () => {
  const stream = chosen;
  if (!confirm(`Delete the stream ${stream} with all its messages? It does not come back.`)) return;
  try {
    await get(`/streams/${encodeURIComponent(stream)}`, "DELETE");
    put("removed", `The stream ${stream} is deleted.`);
  } catch (error) {
    put("removed", `The stream is not known to be deleted: ${error.message}`);
  }
  tick();
});

async function showMessages(stream) {
  put("messages-heading", stream ? `Last messages of ${stream.name}` : "Last messages");
  const wanted = stream && stream.messages > 0 ? `${stream.name} ${stream.lastSequence} ${stream.messages} ${stream.lostMessages ?? 0}` : "";
  if (wanted === shown) return;
  if (wanted === "") { byId("messages").replaceChildren(); shown = wanted; return; }
  const from = Math.max(1, stream.firstSequence, stream.lastSequence - lastMessages + 1);
  const text = await get(`/streams/${encodeURIComponent(stream.name)}/messages?from=${from}&limit=${lastMessages}`);
  if (stream.name !== chosen) return; // another was chosen meanwhile, and is shown next
  const items = text.split("\n").filter(Boolean).map((line) => messageItem(JSON.parse(line)));
  byId("messages").replaceChildren(...items.reverse());
  shown = wanted;
}

let ticking = false;
let again = false; // somebody has done something meanwhile, and wants to see it

async function tick() {
  again = ticking;
  if (ticking) return;
  ticking = true;
  try {
    const { streams, total } = JSON.parse(await get("/streams"));
    if (!streams.some((stream) => stream.name === chosen)) chosen = (streams.find((stream) => !stream.refused) ?? streams[0])?.name ?? "";
    showStreams(streams, total);
    await showMessages(streams.find((stream) => stream.name === chosen));
    await showConsumers(streams.find((stream) => stream.name === chosen));
    put("status", paused ? "Paused" : "Live");
  } catch (error) {
    put("status", error instanceof Refused ? `The broker refuses: ${error.message}` : `The broker does not answer: ${error.message}`);
  } finally {
    ticking = false;
    if (again) tick();
  }
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  put("status", paused ? "Paused" : "Live");
});
byId("curl").textContent = `curl -X PUT ${location.origin}/streams/greetings && curl --data-binary 'hello' ${location.origin}/streams/greetings/greetings.first`;
setInterval(() => { if (!paused && !document.hidden && !ticking) tick(); }, everyMilliseconds);
tick();
