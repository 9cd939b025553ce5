"use strict";

// The consumers of the chosen stream: what they have not delivered yet, what is on its way, and what came again.

const consumerCells = ["number", "number", "number", "number wide", "number wide", "wide"];

function newConsumerRow(name) {
  const row = document.createElement("tr");
  row.dataset.name = name;
  const head = element("th", visible(name));
  head.scope = "row";
  row.append(head, ...consumerCells.map((className) => element("td", "", className)));
  return row;
}

function consumerState(consumer) {
  if (consumer.failed) return "waits: nothing can be written down";
  if (consumer.pausedUntil) return `paused until ${new Date(consumer.pausedUntil).toLocaleString()}`;
  if (consumer.exhausted > 0) return `${number.format(consumer.exhausted)} given up`;
  return "";
}

function fillConsumerRow(row, consumer) {
  const texts = [consumer.lag, consumer.pending, consumer.redelivered, consumer.acked, consumer.waiting].map((count) => number.format(count));
  texts.push(consumerState(consumer));
  texts.forEach((text, i) => {
    const cell = row.cells[i + 1];
    if (cell.textContent !== text) cell.textContent = text;
  });
  row.cells[consumerCells.length].classList.toggle("failed", Boolean(consumer.failed) || consumer.exhausted > 0);
}

// showConsumers asks for the consumers of a stream, and shows them below its messages.
async function showConsumers(stream) {
  const known = stream && !stream.refused;
  const { consumers } = known ? JSON.parse(await get(`/consumers/${encodeURIComponent(stream.name)}`)) : { consumers: [] };
  if (known && stream.name !== chosen) return; // another was chosen meanwhile, and is shown next
  const body = byId("consumers");
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  consumers.forEach((consumer, place) => {
    const row = rows.get(consumer.name) ?? newConsumerRow(consumer.name);
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
    rows.delete(consumer.name);
    fillConsumerRow(row, consumer);
  });
  for (const gone of rows.values()) gone.remove();
  put("consumers-heading", known ? `Consumers of ${stream.name}` : "Consumers");
  byId("consumers-section").hidden = consumers.length === 0;
}
