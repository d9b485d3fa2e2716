// Runs before the page is painted, so that a chosen theme does not flash the other one first.
(() => {
  const chosen = localStorage.getItem("linkspan.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
