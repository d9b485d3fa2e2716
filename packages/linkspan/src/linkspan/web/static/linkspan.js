// What the pages need beyond htmx: the theme, the state of the live stream, a person's name, used-up forms.
(() => {
  const root = document.documentElement;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    localStorage.setItem("linkspan.theme", root.dataset.theme);
  });

  const say = (state) => {
    const pill = document.querySelector("[data-live]");
    if (!pill) return;
    pill.dataset.live = state;
    pill.lastElementChild.textContent = state === "on" ? "Live" : "Reconnecting";
  };
  document.addEventListener("htmx:sse:after:connection", () => say("on"));
  document.addEventListener("htmx:sse:after:message", () => say("on"));
  document.addEventListener("htmx:sse:error", () => say("off"));
  document.addEventListener("htmx:sse:close", () => say("off"));

  const name = localStorage.getItem("linkspan.author");
  for (const field of document.querySelectorAll("input[name=author]")) {
    if (name) field.value = name;
    field.addEventListener("change", () => localStorage.setItem("linkspan.author", field.value));
  }

  // While somebody writes in an opened part, the live page leaves it alone; closed, it follows again.
  // From the click on: the toggle is told of later, and an answer may come in between.
  document.addEventListener("click", (event) => {
    const part = event.target.closest("details[data-once] > summary")?.parentElement;
    if (part && !part.open) part.setAttribute("hx-morph-skip", "");
  }, true);
  document.addEventListener("toggle", (event) => {
    const part = event.target;
    if (!part.matches("details[data-once]")) return;
    part.open ? part.setAttribute("hx-morph-skip", "") : follow(part);
  }, true);
  const follow = (part) => {
    part.removeAttribute("hx-morph-skip");
    for (const form of part.querySelectorAll("form")) form.reset();
  };

  // A form that was taken is empty again and carries a new key; until then its key makes it repeatable.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const form = ctx && ctx.sourceElement && ctx.sourceElement.closest("form");
    if (!form || !ctx.response || ctx.response.status >= 400) return;
    document.querySelector("#notice")?.replaceChildren();
    const key = form.querySelector("input[name=key]");
    if (key) key.value = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
    for (const text of form.querySelectorAll("textarea[data-once]")) text.value = "";
    const part = form.closest("details[data-once]");
    if (part) {
      part.open = false;
      follow(part); // before the answer is swapped in, so that the form shows what was saved
    }
  });
})();
