// Where the parts of a new item come from: another choice shows at once what it gives. What was typed over it is only
// replaced by such a choice.
import { failed, succeeded } from "./failures.js";

let asked = 0;

document.addEventListener("change", async (event) => {
  const form = event.target.closest?.("form[data-picks]");
  if (!form || !event.target.matches("[data-pick]")) return;
  const number = ++asked;
  const part = await ask(form);
  if (!part || number !== asked) return;
  const focus = document.activeElement?.id;
  // A dataset was chosen: what was typed into the item stays.
  if (event.target.id === "dataset") for (const box of form.querySelectorAll("textarea")) part.querySelector(`#${box.id}`).value = box.value;
  form.replaceWith(part);
  if (focus) document.getElementById(focus)?.focus();
});

async function ask(form) {
  const fields = new FormData(form);
  const isPost = form.hasAttribute("data-picks-post");
  for (const box of form.querySelectorAll("textarea")) fields.delete(box.name);
  const headers = { "HX-Request": "true", "HX-Target": form.id };
  const url = form.getAttribute("data-picks"); // a field of this form is called dataset
  try {
    if (!isPost) fields.delete("csrfmiddlewaretoken");
    const query = new URLSearchParams(fields);
    const answer = isPost ? await fetch(url, { method: "POST", headers, body: query }) : await fetch(`${url}?${query}`, { headers });
    const part = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(form.id) : null;
    if (!part) throw new Error(answer.statusText);
    if (!isPost) history.replaceState(history.state, "", `${url}?${query}`);
    succeeded(form.id);
    return document.adoptNode(part);
  } catch {
    failed(form.id, url);
    return null;
  }
}
