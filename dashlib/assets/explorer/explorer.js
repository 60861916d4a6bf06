// Shows regions of HTML that the kernel draws, and tells it what was clicked, typed or chosen. It holds no state but
// where the reader is: what has the focus, how far a list is scrolled, which details are open.

const REGIONS = ["bar", "facets", "table", "detail", "over", "said"];
const TYPING = "input, select, textarea, [contenteditable]";
const KEYS = { n: "next", p: "previous", e: "asking", "?": "help" };
const PATIENCE_MS = 200;

function render({ model, el }) {
  el.classList.add("dx");
  el.lang = model.get("lang");
  el.tabIndex = -1;
  // JupyterLab takes x for cutting a cell, and more, unless told otherwise.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.innerHTML =
    '<div data-region="bar"></div><aside data-region="facets"></aside><main data-region="table"></main>' +
    '<section data-region="detail"></section><div data-region="over"></div>' +
    '<div data-region="said" role="status" aria-live="polite"></div><div class="dx-busy" role="status" hidden></div>';
  const region = (name) => el.querySelector(`:scope > [data-region="${name}"]`);
  const busy = el.querySelector(":scope > .dx-busy");
  busy.textContent = model.get("busy");

  let waiting, walking;
  const send = (act, arg = "", values = {}) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { busy.hidden = false; el.setAttribute("aria-busy", "true"); }, PATIENCE_MS);
    model.send({ act, arg, values });
  };
  const done = () => {
    clearTimeout(waiting);
    busy.hidden = true;
    el.removeAttribute("aria-busy");
  };

  for (const name of REGIONS) {
    const show = () => replace(region(name), model.get(name));
    model.on(`change:${name}`, show);
    show();
  }
  model.on("msg:custom", (message, buffers) => {
    const bytes = buffers?.[0];
    if (message.do === "done") done();
    if (message.do === "download") download(message, bytes);
    if (message.do === "copy") copy(message.text, el);
    if (message.do === "font") addFont(bytes);
    // What is to be focused may be drawn by a message that is still on its way.
    if (message.do === "focus") setTimeout(() => el.querySelector(message.on)?.focus(), 30);
  });
  if (![...document.fonts].some((font) => font.family.includes("Source Sans 3"))) model.send({ act: "font" });

  const asked = (piece) => [piece.dataset.act, piece.dataset.arg ?? ""];
  el.addEventListener("click", (event) => {
    const piece = event.target.closest("[data-act]");
    if (!piece || piece.matches(`form, ${TYPING}`) || piece.disabled) return;
    if (piece.matches(".dx-row")) mark(piece);
    send(...asked(piece));
  });
  el.addEventListener("change", (event) => {
    const piece = event.target;
    if (piece.matches("select[data-act], input[data-act]")) send(...asked(piece), { value: piece.value });
  });
  el.addEventListener("search", (event) => event.target.form?.requestSubmit());
  el.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    send(...asked(form), Object.fromEntries(new FormData(form)));
  });

  el.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const key = event.key;
    if (key === "Escape") {
      if (region("over").childElementCount) send("close");
      else (el.querySelector(".dx-row[aria-selected=true]") ?? el).focus();
      return;
    }
    if (event.target.closest(TYPING) || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest(".dx-row");
    if (row && (key === "ArrowDown" || key === "ArrowUp")) {
      event.preventDefault();
      const to = key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
      if (!to) return;
      mark(to);
      to.focus();
      // Whoever holds the key down wants to arrive, not to read every row on the way.
      clearTimeout(walking);
      if (to.dataset.act === "select") walking = setTimeout(() => send(...asked(to)), 160);
    } else if (row && key === " " && row.querySelector('[data-act="tick"]')) {
      event.preventDefault();
      send(...asked(row.querySelector('[data-act="tick"]')));
    } else if (row && (key === "Enter" || key === " ")) {
      event.preventDefault();
      send(...asked(row));
    } else if (key in KEYS) {
      event.preventDefault();
      send(KEYS[key]);
    } else if (key === "f") {
      event.preventDefault();
      region("facets").querySelector(".dx-value")?.focus();
    } else if (key === "x") {
      event.preventDefault();
      send("export", "xlsx");
    }
  });
  // A click on what takes no focus gives it to the explorer, so that its keys work.
  el.addEventListener("mousedown", (event) => {
    if (!event.target.closest(`${TYPING}, button, summary, a, [tabindex="0"]`)) setTimeout(() => {
      if (!el.contains(document.activeElement)) el.focus({ preventScroll: true });
    });
  });
}

function mark(row) {
  for (const other of row.parentElement.children) {
    other.setAttribute("aria-selected", String(other === row));
    other.tabIndex = other === row ? 0 : -1;
  }
}

function replace(region, html) {
  const root = region.parentElement;
  const focused = region.contains(document.activeElement) ? place(document.activeElement) : null;
  const scrolled = new Map([...region.querySelectorAll("[data-keep]")].map((n) => [n.dataset.keep, n.scrollTop]));
  const top = region.scrollTop;
  const open = new Set([...region.querySelectorAll("details[open]")].map((n) => n.id));
  // What takes the focus from an element that shows none shows none either: a ring is for who came by keyboard.
  if (focused && !document.activeElement.matches(":focus-visible")) root.focus({ preventScroll: true });
  region.innerHTML = html;
  for (const node of region.querySelectorAll("details")) if (open.has(node.id)) node.open = true;
  for (const node of region.querySelectorAll("[data-keep]")) node.scrollTop = scrolled.get(node.dataset.keep) ?? 0;
  region.scrollTop = region.querySelector("[data-keep]") ? region.scrollTop : top;
  const row = region.querySelector(".dx-row[aria-selected=true]");
  row?.scrollIntoView({ block: "nearest" });
  if (focused) {
    const node = (focused.on && region.querySelector(focused.on)) || (focused.row && row) || root;
    node.focus({ preventScroll: true });
    if (focused.at !== undefined && node.setSelectionRange && node.type !== "search") node.setSelectionRange(focused.at, focused.at);
  }
}

function place(node) {
  const { act, arg } = node.dataset;
  const by = act ? `[data-act="${CSS.escape(act)}"]` + (arg === undefined ? "" : `[data-arg="${CSS.escape(arg)}"]`) : "";
  const at = node.matches("input") ? node.selectionStart ?? undefined : undefined;
  return { on: node.id ? `#${CSS.escape(node.id)}` : by, row: node.matches(".dx-row"), at };
}

function download({ name, type }, bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function copy(text, el) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the page is not served over TLS there is no clipboard but this one.
    const field = el.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

async function addFont(bytes) {
  document.fonts.add(await new FontFace("Source Sans 3", bytes, { weight: "200 900" }).load());
}

export default { render };
