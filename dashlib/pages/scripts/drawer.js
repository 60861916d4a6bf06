// A sheet over the right side of the page: it opens when it is given words, and Escape or its cross closes it.
// A link that names a sheet opens it in place; without a kernel, and in a new tab, it is the address of the same.
function render({ model, el }) {
  const sheet = document.createElement("dialog");
  const close = Object.assign(document.createElement("button"), { type: "button", className: "d-close", textContent: "×" });
  const body = document.createElement("div");
  sheet.className = "d-drawer";
  close.setAttribute("aria-label", model.get("closing"));
  sheet.append(close, body);
  el.append(sheet);

  let from = null;
  const ask = (name) => model.send({ sheet: name });
  const draw = () => {
    const words = model.get("body");
    sheet.setAttribute("aria-label", model.get("label"));
    body.innerHTML = words;  // every value in it was escaped where it was made
    if (words && !sheet.open) {
      from = document.activeElement;
      sheet.show();
      close.focus({ preventScroll: true });
    } else if (!words && sheet.open) {
      sheet.close();
      from?.focus?.({ preventScroll: true });
    }
    sheet.scrollTop = 0;
  };
  const follow = (event) => {
    const link = event.target.closest?.("a[data-sheet]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ask(link.dataset.sheet);
  };
  close.addEventListener("click", () => ask(""));
  sheet.addEventListener("keydown", (event) => { if (event.key === "Escape") ask(""); });
  document.addEventListener("click", follow);
  model.on("change:body", draw);
  draw();
  return () => { document.removeEventListener("click", follow); model.off("change:body", draw); };
}

export default { render };
