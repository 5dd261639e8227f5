// Answers that come as lines of JSON, each of which can be used as soon as it is there.
export async function* lines(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "application/x-ndjson" } });
  if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = value.split("\n");
    rest.push(parts[0]);
    if (parts.length === 1) continue;
    yield JSON.parse(rest.join(""));
    for (const line of parts.slice(1, -1)) yield JSON.parse(line);
    rest = [parts.at(-1)];
  }
  const last = rest.join("");
  if (last) yield JSON.parse(last);
}

export async function json(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (answer.redirected) location.reload(); // signed out meanwhile: the page leads to where one signs in
  if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
  return answer.json();
}
