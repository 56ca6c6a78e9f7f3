// The page works without this script. It fills the list's filters, shows the chosen
// passage, copies, and hears what is new. All that is shown was drawn by tracelink.

const page = document.documentElement;
page.classList.add("scripted");
const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// As the page is still read while this runs, its parts are asked for when they are needed.

let chosen = null;
/** The passage of which the reader wants all spans, also those that a live page leaves out. */
let whole = null;
/** Details that the server handed out at its end, by the number of their passage. */
const kept = new Map();

/** A passage's detail as HTML: from the block of data in the file, or from the server. */
async function detailOf(id) {
  const block = byId("detail-" + id);
  if (block) return block.textContent;
  if (kept.has(id)) return kept.get(id);
  if (!page.dataset.passage) return null;
  return fetched(page.dataset.passage + encodeURIComponent(id) + (whole === id ? "?all" : ""));
}

/** What the server has at an address; `null` if it is not there, or the server is not. */
async function fetched(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

/** Shows a passage on the right. */
async function choose(id, { focus = false } = {}) {
  const pane = byId("passage");
  const entry = byId("entry-" + id);
  const isOther = chosen !== id;
  chosen = id;
  for (const link of all("#list a[aria-current]")) link.removeAttribute("aria-current");
  entry?.firstElementChild.setAttribute("aria-current", "true");
  if (entry) onlyTabStop(entry.firstElementChild);
  const text = await detailOf(id);
  if (chosen !== id) return;
  if (text === null) {
    const why = document.createElement("p");
    why.className = "empty";
    why.textContent = page.dataset.passage
      ? "This passage is not held any more."
      : "The spans of this passage found no room in the file: tracelink diagnose has them.";
    pane.replaceChildren(why);
  } else {
    const open = !isOther && pane.querySelector("input.unfold:checked") !== null;
    pane.innerHTML = text;
    const unfold = pane.querySelector("input.unfold");
    if (unfold) unfold.checked = open;
    for (const place of all("[data-finding]", pane)) explain(place);
  }
  for (const example of all(".example")) example.classList.toggle("shown", example.dataset.passage === id);
  if (focus) {
    pane.focus({ preventScroll: true });
    pane.scrollIntoView({ block: "start" });
  }
}

/** Puts what a finding says below the passage that it explains. */
async function explain(place) {
  const finding = await findFinding(place.dataset.finding.slice("finding-".length));
  if (!finding) return;
  const copy = finding.cloneNode(true);
  copy.removeAttribute("id");
  copy.classList.remove("target");
  copy.querySelector(".example")?.remove();
  copy.querySelector("details")?.setAttribute("open", "");
  place.replaceChildren(copy);
}

/** Only one link of the list is reached by the tab key; the arrows reach the others. */
function onlyTabStop(link) {
  for (const other of all("#list a[tabindex='0']")) other.tabIndex = -1;
  link.tabIndex = 0;
}

/** Follows the address: `#passage-12`, `#trace-…`, `#finding-…`. */
function follow({ focus = true } = {}) {
  const [, kind, name] = /^#(passage|trace|finding)-(.+)$/.exec(decodeURIComponent(location.hash)) ?? [];
  if (kind === "passage") choose(name, { focus });
  if (kind === "trace") {
    const entry = all("#list > li").find((one) => one.dataset.traces.split(" ").includes(name));
    if (entry) choose(entry.dataset.id, { focus });
  }
  if (kind === "finding") findFinding(name).then(openFinding);
  return Boolean(kind);
}

/** A finding by its name: the server may have one that the page has not, or has in short. */
async function findFinding(name) {
  const known = () => byId("finding-" + name);
  const isWhole = known() && !known().matches(".short:not(.resolved)");
  if (isWhole || !page.dataset.finding) return known();
  const text = await fetched(page.dataset.finding + encodeURIComponent(name));
  if (text !== null) {
    const finding = elementOf(text);
    finding.querySelector("details")?.removeAttribute("open");
    if (known()) known().replaceWith(finding);
    else byId("findings").append(finding);
  }
  return known();
}

function openFinding(finding) {
  if (!finding) return;
  finding.querySelector("details")?.setAttribute("open", "");
  const example = finding.querySelector(".example");
  if (example && chosen !== example.dataset.passage) choose(example.dataset.passage);
  for (const other of all(".finding.target")) other.classList.remove("target");
  finding.classList.add("target");
  finding.scrollIntoView({ block: "start" });
  finding.querySelector("summary")?.focus({ preventScroll: true });
}

// The filters

const wanted = { text: "", service: "", task: "", brokenOnly: false };

function readFilters() {
  wanted.text = byId("search").value.trim().toLowerCase();
  wanted.service = byId("service").value;
  wanted.task = byId("task").value;
  wanted.brokenOnly = byId("broken-only").checked;
}

function takes(entry) {
  const { health, services, task, traces, ids } = entry.dataset;
  if (wanted.brokenOnly && health !== "broken" && health !== "damaged") return false;
  if (wanted.service && !JSON.parse(services).includes(wanted.service)) return false;
  if (wanted.task && task !== wanted.task) return false;
  if (!wanted.text) return true;
  return [entry.textContent, traces, ids].some((text) => text.toLowerCase().includes(wanted.text));
}

function filter() {
  let shown = 0;
  const entries = all("#list > li");
  for (const entry of entries) {
    entry.hidden = !takes(entry);
    if (!entry.hidden) shown += 1;
  }
  const total = entries.length;
  const what = `${total} ${total === 1 ? "passage" : "passages"}`;
  const text = shown === total ? what : `${shown} of ${what}`;
  if (byId("shown").textContent !== text) byId("shown").textContent = text;
}

/** Services and tasks to choose from: as many as a person looks through. */
const offered = { service: new Set(), task: new Set() };
const MOST_OFFERED = 200;

function offer(entries) {
  for (const entry of entries) {
    for (const service of JSON.parse(entry.dataset.services)) offerOne("service", service);
    offerOne("task", entry.dataset.task);
  }
}

function offerOne(kind, name) {
  const names = offered[kind];
  if (!name || names.has(name) || names.size >= MOST_OFFERED) return;
  names.add(name);
  byId(kind).add(new Option(name, name));
}
