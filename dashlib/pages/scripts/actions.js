// What only a browser can do: the page's address, the clipboard, a file to save.
function render({ model, el }) {
  const words = model.get("words");
  el.classList.add("d-act");
  const copy = button(words.copy);
  const save = button(words.save);
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const hasAddress = model.get("query") !== null;
  el.append(...(hasAddress ? [copy] : []), save, said);

  const keep = () => {
    if (hasAddress && document.body.dataset.voila) history.replaceState(null, "", model.get("query") || location.pathname);
  };
  let wait;
  const say = (text) => {
    said.textContent = text;
    clearTimeout(wait);
    wait = setTimeout(() => { said.textContent = ""; }, 4000);
  };
  copy.addEventListener("click", async () => {
    const address = new URL(model.get("query"), location.href).href;
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      // Without the right to the clipboard: the old way, by a selection.
      const field = Object.assign(document.createElement("textarea"), { value: address });
      el.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say(words.copied);
  });
  save.addEventListener("click", () => {
    save.disabled = true;
    said.textContent = words.making;
    model.send({ ask: "file" });
  });
  const receive = (answer, buffers) => {
    save.disabled = false;
    if (answer.failed) return say(words.failed);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([buffers[0]]));
    link.download = answer.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(answer.name);
  };
  model.on("change:query", keep);
  model.on("msg:custom", receive);
  keep();
  return () => { model.off("change:query", keep); model.off("msg:custom", receive); };
}

function button(text) {
  return Object.assign(document.createElement("button"), { type: "button", className: "d-button", textContent: text });
}

export default { render };
