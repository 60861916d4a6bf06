// A list behind a button: type to search, tick to choose; Escape or a click elsewhere closes it.
function render({ model, el }) {
  const words = model.get("words");
  const id = `choices-${model.get("label")}-${Math.random().toString(36).slice(2)}`;
  el.classList.add("d-choices");
  const label = element("span", { id, className: "d-label", textContent: model.get("label") });
  const open = element("button", { type: "button", className: "d-open" });
  open.setAttribute("aria-haspopup", "dialog");
  const shown = element("span", { id: `${id}-shown` });
  open.append(shown);
  open.setAttribute("aria-labelledby", `${id} ${id}-shown`);
  const panel = element("div", { className: "d-panel", hidden: true });
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", model.get("label"));
  const search = element("input", { type: "search", placeholder: words.search });
  search.setAttribute("aria-label", words.search);
  const list = element("div", { className: "d-list" });
  list.setAttribute("role", "group");
  list.setAttribute("aria-labelledby", id);
  const none = element("p", { textContent: words.none, hidden: true });
  const clear = element("button", { type: "button", className: "d-clear", textContent: words.clear });
  panel.append(search, list, none, clear);
  el.append(label, open, panel);

  const kind = model.get("is_single") ? "radio" : "checkbox";
  const boxes = new Map();
  for (const [value, text] of model.get("options")) {
    const row = element("label", {});
    const box = element("input", { type: kind, name: id, value });
    row.append(box, element("span", { textContent: text }));
    list.append(row);
    boxes.set(value, { row, box, text });
  }

  let wait;
  const tell = () => {
    clearTimeout(wait);
    wait = setTimeout(() => {
      model.set("chosen", [...boxes].filter(([, { box }]) => box.checked).map(([value]) => value));
      model.save_changes();
    }, 250);
  };
  const say = () => {
    const chosen = model.get("chosen");
    for (const [value, { box }] of boxes) box.checked = chosen.includes(value);
    const [first] = chosen;
    shown.textContent = chosen.length === 0 ? model.get("everything")
      : chosen.length === 1 ? boxes.get(first)?.text ?? first
      : words.several.replace("{n}", chosen.length);
    open.classList.toggle("is-set", chosen.length > 0);
    clear.hidden = chosen.length === 0;
  };
  const find = () => {
    const asked = plain(search.value);
    let found = 0;
    for (const { row, text } of boxes.values()) {
      row.hidden = !plain(text).includes(asked);
      found += row.hidden ? 0 : 1;
    }
    none.hidden = found > 0;
  };
  const show = (is_open) => {
    panel.hidden = !is_open;
    open.setAttribute("aria-expanded", String(is_open));
    if (!is_open) return;
    search.value = "";
    find();
    search.focus();
  };
  const outside = (event) => { if (!el.contains(event.target)) show(false); };

  open.addEventListener("click", () => show(panel.hidden));
  list.addEventListener("change", () => { tell(); if (kind === "radio") { show(false); open.focus(); } });
  clear.addEventListener("click", () => {
    for (const { box } of boxes.values()) box.checked = false;
    tell();
    show(false);
    open.focus();
  });
  search.addEventListener("input", find);
  el.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    show(false);
    open.focus();
  });
  document.addEventListener("pointerdown", outside);
  const enable = () => { open.disabled = model.get("disabled"); };
  model.on("change:chosen", say);
  model.on("change:disabled", enable);
  show(false);
  say();
  enable();
  return () => {
    document.removeEventListener("pointerdown", outside);
    model.off("change:chosen", say);
    model.off("change:disabled", enable);
  };
}

function element(tag, traits) {
  return Object.assign(document.createElement(tag), traits);
}

function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

export default { render };
