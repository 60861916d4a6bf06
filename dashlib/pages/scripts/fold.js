// On a narrow screen the bar is folded behind this button; wide screens do not show it. Whether it is open is kept here.
function render({ model, el }) {
  el.classList.add("d-fold");
  const open = Object.assign(document.createElement("button"), { type: "button", className: "d-button" });
  const bar = () => el.closest(".d-bar");
  const show = (isOpen) => {
    bar()?.classList.toggle("is-open", isOpen);
    open.setAttribute("aria-expanded", String(isOpen));
  };
  const say = () => { open.textContent = model.get("label"); };
  open.setAttribute("aria-expanded", "false");
  open.addEventListener("click", () => show(open.getAttribute("aria-expanded") !== "true"));
  model.on("change:label", say);
  say();
  el.append(open);
}

export default { render };
