
// All passages in full, where the address ends with `?all`: to be printed, or searched by the browser

const showsEverything = location.search === "?all";

/** Draws all passages: those that the file has, or the server has room for. */
async function drawEverything() {
  const link = byId("all");
  if (!showsEverything) return;
  link.href = "?";
  link.textContent = "One passage at a time";
  const place = byId("everything");
  if (page.dataset.passage) place.innerHTML = (await fetched("/details?all")) ?? "";
  else drawAllOfFile(place);
  for (const unfold of all("input.unfold", place)) unfold.checked = true;
  place.hidden = false;
  page.classList.add("everything");
}

/** Draws the passages of a file in the order of the list, and says how many have no spans in it. */
function drawAllOfFile(place) {
  const entries = all("#list > li");
  const blocks = entries.map((entry) => byId("detail-" + entry.dataset.id)).filter((block) => block !== null);
  place.innerHTML = blocks.map((block) => block.textContent).join("");
  const missing = entries.length - blocks.length;
  if (missing === 0) return;
  const note = document.createElement("p");
  note.className = "left-out";
  note.textContent = `${missing} more ${missing === 1 ? "passage" : "passages"} found no room in the file`;
  place.append(note);
}
