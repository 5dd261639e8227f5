// What went wrong with a part of the page: without a word, old rows would stand under new filters.

// An error that says where it belongs is ours. The page of a proxy in between has no place in this one.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const place = detail.xhr.status >= 400 && detail.xhr.getResponseHeader("HX-Retarget");
  if (!place) return;
  detail.isError = false;
  // What asks every few seconds says it once.
  detail.shouldSwap = place !== "#messages" || !line(detail.requestConfig.target.id);
});

for (const name of ["htmx:responseError", "htmx:sendError"]) {
  // What a form was sent to is no page.
  document.addEventListener(name, ({ detail: { requestConfig, pathInfo } }) => {
    if (requestConfig.verb === "get") failed(requestConfig.target.id, pathInfo.finalRequestPath);
    else failed(requestConfig.target.id, location.href, "failure-sending");
  });
}

document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
  if (detail.xhr.status < 400) succeeded(detail.requestConfig.target.id);
});

// `part` is the id of what was asked for, `url` the page that shows it, `template` has the words.
export function failed(part, url, template = "failure") {
  if (line(part)) return;
  const words = document.getElementById(template).content.cloneNode(true);
  words.querySelector("[data-about]").dataset.about = part;
  words.querySelector("a").href = url;
  document.getElementById("messages").append(words);
}

export function succeeded(part) {
  line(part)?.remove();
}

function line(part) {
  return document.querySelector(`#messages [data-about="${CSS.escape(part)}"]`);
}
