// The list's form holds what the list is to show; whatever changes it (links, ticks, the query bar) goes through here.
// It may be ahead of the address, while an answer is on its way.
const PLACES = ["before", "peek", "observation"];
const KEPT = ["range", "from", "to", "sort", "columns", "rows", "size", "chart", "before", "view"];

export const form = () => document.getElementById("filters");

// null takes a parameter away. Another filter begins at the first page.
export function visit(changes) {
  for (const name of PLACES) put(name, null);
  for (const [name, value] of Object.entries(changes)) put(name, value);
  form().requestSubmit();
}

export function wanted(name) {
  return form().querySelector(`input[type="hidden"][name="${name}"]`)?.value ?? "";
}

function put(name, value) {
  let field = form().querySelector(`input[type="hidden"][name="${name}"]`);
  if (value === null || value === "") return field?.remove();
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name });
    form().prepend(field);
  }
  field.value = value;
}

// Links that lead to the same list in another way: followed in place, the query as it is in the bar now.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-visit]");
  if (!link || !form() || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const parameters = new URL(link.href?.baseVal ?? link.href, location.href).searchParams;
  link.closest("details[data-menu]")?.removeAttribute("open");
  // A link that is not made anew with the rows says what it changes; the rest is as it is now.
  const own = link.dataset.visit ? link.dataset.visit.split(" ") : KEPT;
  visit(Object.fromEntries(own.map((name) => [name, parameters.get(name)])));
});

// The other noun's list under the query that the bar shows now, though its rows may still be on their way.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".nouns a");
  if (!link) return;
  const url = new URL(link.href);
  if (wanted("q")) url.searchParams.set("q", wanted("q"));
  else url.searchParams.delete("q");
  link.href = url;
});
