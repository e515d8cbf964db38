"use strict";
// The workshop's board. Every name and every log line is somebody's: all of it goes into text nodes, none into markup.

const STATES = ["broken", "starting", "stopped", "absent", "ready"];
const SHAPES = {
  ready: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13Z",
  starting: "M8 1.5a6.5 6.5 0 1 0 0 13Z",
  broken: "M8 1 15.5 14.5H.5Z",
  stopped: "M2.5 2.5h11v11h-11Z",
  absent: "",
};
const MANY = 40; // seats; more are shown in two lines each
const DONE_SHOWN = 15; // seconds
const STILL = 4; // seconds after the pointer moved over the seats in which none changes its place

const byId = (id) => document.getElementById(id);
const token = kept("token"); // of the address with the key; a page that was opened without it shows, and changes nothing
const cards = new Map(); // seat -> its card
const dismissed = new Set(); // acts whose error was read: seat and when it began
let data = null, tag = "", moved = 0;

function kept(name) {
  try {
    return sessionStorage.getItem(name) || "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

function make(kind, className, text) {
  const node = document.createElement(kind);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function shape(state) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SHAPES[state]);
  const outline = document.createElementNS(space, "circle");
  outline.setAttribute("cx", "8"); outline.setAttribute("cy", "8"); outline.setAttribute("r", "6.5");
  outline.setAttribute("fill", "none"); outline.setAttribute("stroke-width", "2");
  if (state === "absent") outline.setAttribute("stroke-dasharray", "2.5 2.5");
  if (state === "starting" || state === "absent") svg.append(outline);
  svg.append(path);
  return svg;
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function span(seconds, coarse = false) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 10 && !coarse ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

const isPage = (url) => Boolean(url) && /^https?:\/\//.test(url);
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const ago = (moment) => (Date.now() - Date.parse(moment)) / 1000;
const label = (seat) => (seat.attendee ? `${seat.seat} (${seat.attendee})` : seat.seat);

// One card

function makeCard(name) {
  const card = make("li", "seat");
  const top = make("div", "top");
  const parts = {
    card,
    top,
    word: make("span", "word"),
    people: make("span", "people"),
    since: make("span", "since"),
    name: make("a", "name", name),
    who: make("h2", "who"),
    facts: make("p", "facts"),
    error: make("p", "error"),
    links: make("p", "links"),
    act: make("div", "act"),
    acts: make("div", "acts"),
    state: "",
    here: null,
  };
  parts.act.setAttribute("role", "status");
  top.append(parts.word, parts.people, parts.since, parts.name);
  parts.buttons = {};
  for (const [doing, work] of Object.entries({ log: showLog, restart: restart, reset: askReset })) {
    const button = make("button", "", doing[0].toUpperCase() + doing.slice(1));
    button.type = "button";
    button.addEventListener("click", () => work(name));
    parts.acts.append(button);
    parts.buttons[doing] = button;
  }
  card.append(top, parts.who, parts.facts, parts.error, parts.links, parts.act, parts.acts);
  return parts;
}

function fillCard(parts, seat) {
  if (parts.state !== seat.state) {
    parts.card.dataset.state = seat.state;
    parts.top.querySelector(".shape")?.remove();
    parts.top.prepend(shape(seat.state));
    parts.state = seat.state;
  }
  set(parts.word, seat.state);
  const who = seat.attendee || "free seat";
  const people = seat.identities === null ? "" : `${seat.identities} ${seat.identities === 1 ? "identity" : "identities"}`;
  set(parts.people, seat.identities === null ? "" : `${seat.identities} ${seat.identities === 1 ? "id" : "ids"}`);
  parts.people.title = people;
  parts.who.title = [who, seat.lesson && `lesson ${seat.lesson}`, seat.release, seat.database].filter(Boolean).join(" · ");
  if (parts.who.textContent !== who) {
    parts.who.textContent = who;
    parts.who.classList.toggle("free", !seat.attendee);
    for (const [doing, button] of Object.entries(parts.buttons)) button.setAttribute("aria-label", `${button.textContent} ${label(seat)}`);
  }
  fillFacts(parts.facts, [seat.lesson && `lesson ${seat.lesson}`, seat.release, seat.database], people);
  set(parts.error, seat.error);
  parts.error.title = seat.error;
  parts.error.hidden = !seat.error;
  fillLinks(parts.links, seat);
  linkName(parts.name, seat);
  fillAct(parts, seat);
  tickCard(parts, seat);
}

function fillFacts(node, plain, people) {
  const shown = [...plain, people].filter(Boolean);
  if (node.dataset.shown === shown.join("\n")) return;
  node.dataset.shown = shown.join("\n");
  node.replaceChildren(...shown.map((text) => make(text === people ? "b" : "span", "", text)));
}

function fillLinks(node, seat) {
  const shown = [["address", seat.address], ["mail", seat.mail]].filter(([, url]) => isPage(url));
  const now = shown.map(([, url]) => url).join("\n");
  if (node.dataset.shown === now) return;
  node.dataset.shown = now;
  node.hidden = !shown.length;
  node.replaceChildren(...shown.map(([kind, url]) => {
    const link = make("a", "", kind === "mail" ? "mail" : url.replace(/^https?:\/\//, ""));
    link.href = url; link.target = "_blank"; link.rel = "noopener noreferrer";
    link.setAttribute("aria-label", `Open the ${kind === "mail" ? "mail inbox" : "page"} of ${label(seat)}`);
    return link;
  }));
}

// where there are many seats, a seat's name is its link
function linkName(node, seat) {
  const url = data.seats.length > MANY && isPage(seat.address) ? seat.address : "";
  if ((node.getAttribute("href") || "") === url) return;
  node.title = url;
  node.target = "_blank"; node.rel = "noopener noreferrer";
  if (url) node.href = url;
  else node.removeAttribute("href");
}

const stageOf = (act) => (act ? `${act.began} ${act.seconds}` : "");

function fillAct(parts, seat) {
  const act = seat.act;
  const busy = Boolean(act) && act.seconds === null;
  const read = act && dismissed.has(`${seat.seat} ${act.began}`);
  const old = act && !busy && !act.error && ago(act.began) - act.seconds > DONE_SHOWN;
  const shown = !act || read || old ? "" : `${act.doing} ${act.began} ${act.seconds}`;
  for (const doing of ["restart", "reset"]) parts.buttons[doing].disabled = busy;
  parts.buttons.reset.disabled = busy || seat.state === "absent";
  parts.buttons.log.disabled = seat.state === "absent";
  // what this page itself had to say stays until something else is done there
  if (parts.here === stageOf(act)) return;
  parts.here = null;
  parts.card.classList.toggle("failing", Boolean(shown && act.error));
  if (parts.act.dataset.shown === shown) return;
  parts.act.dataset.shown = shown;
  parts.act.hidden = !shown;
  parts.act.className = "act";
  parts.act.replaceChildren();
  if (!shown) return;
  parts.act.title = act.command;
  if (busy) {
    parts.act.classList.add("busy");
    parts.act.append(act.doing === "reset" ? "resetting…" : "restarting…");
  } else if (act.error) {
    parts.act.classList.add("failed");
    showError(parts.act, `${sentence(act.doing)} failed: ${act.error.what}`, act.error, act.command);
    const close = make("button", "", "Dismiss");
    close.type = "button";
    close.addEventListener("click", () => { dismissed.add(`${seat.seat} ${act.began}`); render(); });
    parts.act.append(close);
  } else {
    parts.act.classList.add("done");
    parts.act.append(`✓ ${act.doing} in ${act.seconds} s`);
  }
}

function showError(node, what, error, command) {
  node.append(make("b", "", what));
  for (const line of [error.why, error.fix]) if (line) node.append(make("span", "", line));
  if (command) node.append(make("code", "", command));
}

function tickCard(parts, seat) {
  set(parts.since, seat.since ? span(ago(seat.since), true) : "");
}

// The whole page

function render() {
  if (!data) return;
  const missing = data.seats.length - data.count.ready;
  document.title = missing ? `(${missing}) ${data.workshop}` : `${data.workshop} – board`;
  set(byId("workshop"), data.workshop || "Workshop");
  document.body.classList.toggle("dense", data.seats.length > MANY);
  document.body.classList.toggle("stale", Boolean(data.problem));
  showCounts();
  showWarnings();
  tick();
  const seats = ordered();
  for (const name of [...cards.keys()]) {
    if (!data.seats.some((seat) => seat.seat === name)) { cards.get(name).card.remove(); cards.delete(name); }
  }
  for (const seat of data.seats) {
    if (!cards.has(seat.seat)) cards.set(seat.seat, makeCard(seat.seat));
    fillCard(cards.get(seat.seat), seat);
  }
  place(seats);
  const wanted = byId("filter").value.trim();
  byId("none").hidden = seats.length > 0;
  set(byId("none"), data.seats.length ? `No seat fits “${wanted}”.` : data.problem ? "" : "This workshop has no seats yet: kratosctl workshop add --seats 10");
}

function showCounts() {
  const shown = STATES.filter((state) => state === "ready" || data.count[state]);
  const now = shown.map((state) => `${state} ${data.count[state]}`).join() + data.seats.length;
  const counts = byId("counts");
  if (counts.dataset.shown === now) return;
  counts.dataset.shown = now;
  counts.replaceChildren(...["ready", ...shown.filter((state) => state !== "ready")].map((state) => {
    const group = make("div");
    group.dataset.state = state;
    const of = state === "ready" ? ` of ${data.seats.length} ready` : ` ${state}`;
    const word = make("dt", "", of);
    group.append(shape(state), make("dd", "", String(data.count[state] ?? 0)), word);
    return group;
  }));
}

function showWarnings() {
  const box = byId("warnings");
  const now = data.warnings.join("\n");
  if (box.dataset.shown === now) return;
  box.dataset.shown = now;
  box.hidden = !now;
  box.replaceChildren(...data.warnings.map((warning) => make("p", "", `${sentence(warning)}.`)));
}

function ordered() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (seat) => {
    const text = [seat.seat, seat.attendee, seat.state, seat.release, seat.database, seat.error, seat.lesson].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const seats = data.seats.filter(fits);
  if (!byId("first").checked) return seats;
  const rank = (seat) => (seat.act && seat.act.error && !dismissed.has(`${seat.seat} ${seat.act.began}`) ? -1 : STATES.indexOf(seat.state));
  return seats.map((seat, at) => [rank(seat), at, seat]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((row) => row[2]);
}

function place(seats) {
  const list = byId("seats");
  const wanted = seats.map((seat) => cards.get(seat.seat).card);
  const there = new Set(wanted);
  const same = list.children.length === wanted.length && [...list.children].every((card) => there.has(card));
  // nobody should hit another seat's button because the seats changed places under the pointer
  if (same && (Date.now() - moved) / 1000 < STILL) return;
  const focused = document.activeElement;
  for (const card of [...list.children]) if (!there.has(card)) card.remove();
  wanted.forEach((card, at) => { if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null); });
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
}

function tick() {
  if (!data) return;
  for (const seat of data.seats) {
    const parts = cards.get(seat.seat);
    if (parts) { tickCard(parts, seat); if (seat.act) fillAct(parts, seat); }
  }
  const ends = byId("ends");
  ends.hidden = !data.ends;
  if (!data.ends) return;
  const left = -ago(data.ends);
  const clock = new Date(data.ends).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  set(ends, left > 0 ? `${span(left)} left, until ${clock}` : `over since ${span(-left)}`);
  ends.classList.toggle("soon", left < 600);
}

function problem(error) {
  const box = byId("problem");
  const now = error ? JSON.stringify(error) : "";
  if (box.dataset.shown === now) return;
  box.dataset.shown = now;
  box.hidden = !error;
  box.replaceChildren();
  if (!error) return;
  box.append(make("b", "", `${sentence(error.what)}.`));
  for (const line of [error.why, error.fix]) if (line) box.append(` ${sentence(line)}.`);
  if (data && data.seats.length) box.append(" What is shown is what was seen last.");
}

function tellNews(before, after) {
  if (!before) return;
  const known = new Map(before.seats.map((seat) => [seat.seat, seat]));
  const news = after.seats
    .filter((seat) => known.has(seat.seat) && known.get(seat.seat).state !== seat.state)
    .map((seat) => `${label(seat)} is ${seat.state}${seat.state === "broken" && seat.error ? `: ${seat.error}` : ""}`);
  if (news.length) byId("news").textContent = news.slice(0, 5).join("; ") + (news.length > 5 ? `; and ${news.length - 5} more` : "");
}

// The server

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function follow() {
  for (;;) {
    if (document.hidden) { await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true })); continue; }
    try {
      const answer = await fetch("/api/seats", { cache: "no-store", headers: { "If-None-Match": `"${tag}"`, Prefer: "wait=20" } });
      if (answer.status === 200) {
        const after = await answer.json();
        tellNews(data, after);
        data = after;
        tag = (answer.headers.get("ETag") || "").replaceAll('"', "");
        problem(data.problem);
        render();
      } else if (answer.status === 304) {
        problem(data && data.problem);
        document.body.classList.toggle("stale", Boolean(data && data.problem));
      } else {
        const said = await answer.json();
        throw Object.assign(new Error("refused"), { said: said.error });
      }
      await pause(0.3);
    } catch (error) {
      const gone = { what: "This board does not answer", why: "it was ended, or this host is busy", fix: "start it again: kratosctl workshop board" };
      problem(error.said || gone);
      document.body.classList.add("stale");
      await pause(2);
    }
  }
}

async function act(name, doing) {
  const parts = cards.get(name);
  parts.buttons.restart.disabled = parts.buttons.reset.disabled = true;
  try {
    const answer = await fetch(`/api/seats/${encodeURIComponent(name)}/${doing}`, { method: "POST", headers: { "X-Kratosctl-Token": token } });
    if (!answer.ok) failHere(parts, doing, (await answer.json()).error);
  } catch {
    failHere(parts, doing, { what: "this board does not answer", why: "", fix: "start it again: kratosctl workshop board" });
  }
}

function failHere(parts, doing, error) {
  parts.here = stageOf(data.seats.find((seat) => seat.seat === parts.name.textContent).act);
  parts.act.className = "act failed";
  parts.act.hidden = false;
  parts.act.dataset.shown = "here";
  parts.act.replaceChildren();
  showError(parts.act, `${sentence(doing)} failed: ${error.what}`, error);
  parts.buttons.restart.disabled = parts.buttons.reset.disabled = false;
}

function mayAct(name, doing) {
  if (!token) failHere(cards.get(name), doing, { what: "this page was opened without the board's key", why: "so it shows seats, and changes none", fix: "open the address that kratosctl workshop board printed in this tab" });
  return Boolean(token);
}

function restart(name) {
  if (mayAct(name, "restart")) act(name, "restart");
}

function askReset(name) {
  if (!mayAct(name, "reset")) return;
  const seat = data.seats.find((one) => one.seat === name);
  const lost = seat.identities === null ? "Everything" : seat.identities === 1 ? "Its one identity" : `Its ${seat.identities} identities`;
  byId("ask-title").textContent = `Reset ${label(seat)}?`;
  byId("ask-text").textContent = seat.identities === 0
    ? "Its database is empty already; it goes back to just migrated, with its seed if it has one."
    : `${lost} and all else in its database ${seat.identities === 1 ? "goes" : "go"}: it is as just migrated, with its seed if it has one.`;
  byId("ask-undo").textContent = `kratosctl snapshot restore --undo --env ${name}`;
  byId("ask-yes").textContent = `Reset ${name}`;
  const ask = byId("ask");
  ask.returnValue = "";
  ask.onclose = () => { if (ask.returnValue === "yes") act(name, "reset"); };
  ask.showModal();
}

async function showLog(name) {
  const seat = data.seats.find((one) => one.seat === name);
  const text = byId("log-text");
  byId("log-title").textContent = `Kratos of ${label(seat)}`;
  byId("log-again").onclick = () => showLog(name);
  text.textContent = "…";
  if (!byId("log").open) byId("log").showModal();
  try {
    const answer = await fetch(`/api/seats/${encodeURIComponent(name)}/log`, { cache: "no-store" });
    const said = await answer.json();
    const lines = answer.ok ? said.lines : [said.error.what, said.error.why, said.error.fix].filter(Boolean);
    text.replaceChildren(...lines.map((line) => make("span", /level=(error|fatal)|"level":"(error|fatal)"/.test(line) ? "bad" : "", `${line}\n`)));
    if (!lines.length) text.textContent = "It printed nothing yet.";
    text.scrollTop = text.scrollHeight;
  } catch {
    text.textContent = "This board does not answer: start it again with kratosctl workshop board";
  }
}

byId("tools").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("input", () => { moved = 0; render(); });
byId("first").addEventListener("change", () => { moved = 0; render(); });
byId("seats").addEventListener("pointermove", () => { moved = Date.now(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    byId("filter").focus();
  }
});
setInterval(() => { tick(); if (data) place(ordered()); }, 1000);
follow();
