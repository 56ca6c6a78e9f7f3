
// Keys, copying and printing

const isTyping = (target) => target.closest?.("input[type=search], select, textarea") !== null;

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key, target } = event;
  if (key === "Escape" && target.id === "search") return target.blur();
  if (key === "ArrowDown" && target.id === "search") return moveTo(0, event);
  if (isTyping(target) || byId("help").open) return;
  const visible = () => all("#list > li:not([hidden]) > a");
  const inList = target.closest?.("#list") !== null;
  switch (key) {
    case "/":
      event.preventDefault();
      return byId("search").focus();
    case "?":
      event.preventDefault();
      return byId("help").showModal();
    case "c":
      return copyFirstFix();
    case "ArrowDown":
    case "ArrowUp":
      if (inList) return moveTo(visible().indexOf(target) + (key === "ArrowDown" ? 1 : -1), event);
      break;
    case "Home":
    case "End":
      if (inList) return moveTo(key === "Home" ? 0 : visible().length - 1, event);
  }
}

/** Moves the focus within the list. */
function moveTo(place, event) {
  const links = all("#list > li:not([hidden]) > a");
  const link = links[place];
  if (!link) return;
  event.preventDefault();
  onlyTabStop(link);
  link.focus();
}

function copyFirstFix() {
  const fix = document.querySelector("#passage .fixes button.copy") ?? document.querySelector(".fixes button.copy");
  if (fix) copy(fix);
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  let done = false;
  try {
    await navigator.clipboard.writeText(code.textContent);
    done = true;
  } catch {
    // An address that is not trusted has no clipboard: what is selected can be copied.
    getSelection().selectAllChildren(code);
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  button.classList.toggle("copied", done);
  say(done ? "Copied" : "Selected: press Control C to copy");
  setTimeout(() => {
    button.textContent = "Copy";
    button.classList.remove("copied");
  }, 2000);
}

/** Tells whoever does not see the page. */
function say(text) {
  byId("said").textContent = text;
}

/** On paper nothing can be opened. */
let closed = [];
function openAll() {
  closed = all("details:not([open])");
  for (const one of closed) one.open = true;
}
function closeAgain() {
  for (const one of closed) one.open = false;
}

function onClick(event) {
  const button = event.target.closest("button.copy");
  if (button) return copy(button);
  if (event.target.closest("#ask")) return byId("help").showModal();
  if (event.target.closest("button.whole")) {
    whole = chosen;
    return choose(chosen);
  }
  // An address that stands already is followed again.
  const link = event.target.closest("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash && link.hash.length > 1) follow();
}

// The beginning

/** Says how much of the file was read, until all of it was. */
function reading() {
  const progress = document.querySelector("#loading progress");
  if (progress) progress.value = document.querySelectorAll("script[type='text/html']").length;
  if (document.readyState === "loading") requestAnimationFrame(reading);
}

function begin() {
  for (const details of all(".finding > details")) details.open = false;
  const entries = all("#list > li");
  offer(entries);
  for (const link of all("#list a")) link.tabIndex = -1;
  const first = entries.find((entry) => entry.dataset.health === "broken") ?? entries[0];
  if (first) onlyTabStop(first.firstElementChild);
  filter();
  if (!follow({ focus: false }) && first) choose(first.dataset.id);
  drawEverything();
  hear();
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.addEventListener("input", (event) => {
  if (!event.target.closest("#filters")) return;
  readFilters();
  filter();
});
document.addEventListener("submit", (event) => {
  if (event.target.id === "filters") event.preventDefault();
});
addEventListener("hashchange", () => follow());
addEventListener("beforeprint", openAll);
addEventListener("afterprint", closeAgain);
