
// What is new in a live page

/** How many entries the list keeps. */
const MOST_LISTED = 2000;
let heard = [];
let toTell = { count: 0, broken: "" };

function hear() {
  if (!page.dataset.events) return;
  const events = new EventSource(page.dataset.events);
  for (const kind of ["passage", "finding", "piece", "gone", "reload"]) {
    events.addEventListener(kind, (event) => later(kind, event.data));
  }
  events.addEventListener("open", () => connection(""));
  events.addEventListener("error", () => connection(" · not connected"));
  events.addEventListener("end", async () => {
    // The server goes once this is closed.
    await keepDetails();
    events.close();
    connection(" · the session has ended");
  });
  setInterval(age, 1000);
  setInterval(tell, 3000);
}

/** Takes the details of all passages from a server that is about to go. */
async function keepDetails() {
  const text = await fetched("/details");
  if (text === null) return;
  const template = document.createElement("template");
  template.innerHTML = text;
  for (const article of template.content.querySelectorAll("article.passage")) kept.set(article.dataset.id, article.outerHTML);
}

function connection(text) {
  const place = byId("connection");
  if (place && place.textContent !== text) place.textContent = text;
}

/** Takes what came since the last frame in one go. A hidden page has no frames. */
function later(kind, data) {
  heard.push([kind, data]);
  if (heard.length === 1) (document.hidden ? setTimeout : requestAnimationFrame)(takeAll);
}

function takeAll() {
  const now = heard;
  heard = [];
  const isChosenNew = now.map(([kind, data]) => take[kind](data)).includes(true);
  trim();
  filter();
  if (isChosenNew) choose(chosen);
}

/** Each kind says whether the chosen passage has to be drawn again. */
const take = {
  passage(text) {
    const entry = elementOf(text);
    const old = byId(entry.id);
    offer([entry]);
    entry.firstElementChild.tabIndex = -1;
    since(entry);
    if (old) {
      replace(old, entry);
    } else {
      entry.classList.add("new");
      insert(entry);
      toTell.count += 1;
    }
    const isBroken = entry.dataset.health === "broken";
    if (isBroken && old?.dataset.health !== "broken") toTell.broken = entry.querySelector(".title").textContent;
    chosen ??= entry.dataset.id;
    return entry.dataset.id === chosen;
  },
  finding(text) {
    const finding = elementOf(text);
    const old = byId(finding.id);
    const details = finding.querySelector("details");
    if (details) details.open = old?.querySelector("details")?.open ?? false;
    if (old) old.replaceWith(finding);
    else byId("findings").append(finding);
    return document.querySelector(`#passage [data-finding="${CSS.escape(finding.id)}"]`) !== null;
  },
  piece(text) {
    const piece = elementOf(text);
    const said = byId("connection")?.textContent;
    byId(piece.id)?.replaceWith(piece);
    if (said) connection(said);
    return false;
  },
  gone(ids) {
    for (const id of ids.split("\n")) byId("entry-" + id)?.remove();
    return false;
  },
  reload() {
    reload();
    return false;
  },
};

function elementOf(text) {
  const template = document.createElement("template");
  template.innerHTML = text;
  return template.content.firstElementChild;
}

/** Puts an entry in the place of its age: nearly always that is the first. */
function insert(entry) {
  const list = byId("list");
  let next = list.firstElementChild;
  while (next && isNewer(next, entry)) next = next.nextElementSibling;
  list.insertBefore(entry, next);
}

function isNewer(one, other) {
  for (const name of ["came", "began", "id"]) {
    const [its, others] = [Number(one.dataset[name]), Number(other.dataset[name])];
    if (its !== others) return its > others;
  }
  return false;
}

/** Puts an entry in the place of another, which may have the focus or be the chosen one. */
function replace(old, entry) {
  const [was, is] = [old.firstElementChild, entry.firstElementChild];
  if (was.hasAttribute("aria-current")) is.setAttribute("aria-current", "true");
  is.tabIndex = was.tabIndex;
  const hadFocus = document.activeElement === was;
  old.replaceWith(entry);
  if (hadFocus) is.focus({ preventScroll: true });
}

/** Fetches the page anew: too much was missed. */
async function reload() {
  const text = await fetched("/");
  if (text === null) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const id of ["status", "verdict", "list", "left-out", "findings", "map", "queues"]) {
    const piece = fresh.getElementById(id);
    if (piece) byId(id)?.replaceWith(piece);
  }
  for (const details of all(".finding > details")) details.open = false;
  offer(all("#list > li"));
  all("#list > li").forEach(since);
  filter();
  if (chosen !== null) choose(chosen);
}

function trim() {
  const list = byId("list");
  while (list.childElementCount > MOST_LISTED) list.lastElementChild.remove();
}

// Ages count on from when an entry came.

function since(root) {
  for (const time of all("time[data-age]", root)) time.began = performance.now() - Number(time.dataset.age);
}

function age() {
  if (document.hidden) return;
  for (const time of all("time[data-age]")) {
    if (time.began === undefined) time.began = performance.now() - Number(time.dataset.age);
    const seconds = Math.round((performance.now() - time.began) / 1000);
    const text = inWords(seconds) + " ago";
    if (time.textContent !== text) time.textContent = text;
  }
}

function inWords(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
}

/** Says aloud what came, once in a while. */
function tell() {
  const { count, broken } = toTell;
  toTell = { count: 0, broken: "" };
  if (broken) say(broken);
  else if (count > 0) say(count === 1 ? "1 new passage" : `${count} new passages`);
}

reading();
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
