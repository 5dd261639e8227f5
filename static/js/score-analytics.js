// What is chosen is shown at once; another first score may not fit the second.
document.querySelector("[data-choose]")?.addEventListener("change", ({ target, currentTarget }) => {
  const second = currentTarget.elements.score2;
  if (target.name === "score1" && second && !target.value) second.value = "";
  currentTarget.requestSubmit();
});
