// Links and forms that change one thing of the address and keep the rest, such as the environment menu. The server wrote
// them for the address it knew; filters may have changed it since. `data-carry` names what they set or drop themselves.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset?.carry) return;
  for (const old of form.querySelectorAll("[data-carried]")) old.remove();
  for (const [name, value] of rest(form)) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    field.dataset.carried = "";
    form.append(field);
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-carry]");
  if (!link) return;
  const url = new URL(link.href);
  const own = new Set(link.dataset.carry.split(" "));
  const kept = [...url.searchParams].filter(([name]) => own.has(name));
  url.search = new URLSearchParams([...rest(link), ...kept]);
  link.href = url;
});

function rest(element) {
  const own = new Set(element.dataset.carry.split(" "));
  return [...new URLSearchParams(location.search)].filter(([name]) => !own.has(name));
}
