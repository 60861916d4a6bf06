// A file for the kernel: its size is told before it is sent, it goes in pieces, and how far the run is is asked for.
const PIECE = 1 << 20;
const EVERY_MS = 600;

function render({ model, el }) {
  const words = model.get("words");
  const limit = model.get("limit");
  el.classList.add("d-upload");
  el.innerHTML = `
    <label class="d-drop">
      <input type="file" accept=".csv,.txt,text/csv">
      <strong></strong><span></span>
    </label>
    <p class="d-said" role="status"></p>
    <div class="d-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><i></i></div>
    <div class="d-acts"><button type="button" class="d-button d-go" disabled></button><button type="button" class="d-button d-stop" hidden></button></div>`;
  const [input, said, bar, go, stop] = ["input", ".d-said", ".d-progress", ".d-go", ".d-stop"].map((one) => el.querySelector(one));
  const drop = el.querySelector(".d-drop");
  drop.querySelector("strong").textContent = words.drop;
  drop.querySelector("span").textContent = words.limit;
  go.textContent = words.go;
  stop.textContent = words.stop;
  bar.setAttribute("aria-label", words.progress);

  let file = null;
  let at = 0;
  let timer;
  const mebibytes = (size) => (size / (1 << 20)).toLocaleString(model.get("lang"), { maximumFractionDigits: 1 });
  const choose = (chosen) => {
    if (!chosen || input.disabled) return;
    const fits = chosen.size <= limit;
    file = fits && chosen.size ? chosen : null;
    const about = `${chosen.name} · ${mebibytes(chosen.size)} ${words.unit}`;
    said.textContent = !chosen.size ? `${about} ${words.empty}` : fits ? about : `${about} ${words.large}`;
    said.classList.toggle("is-bad", !file);
    go.disabled = !file;
  };
  const show = (share, phase) => {
    bar.hidden = false;
    bar.firstElementChild.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
    said.textContent = `${phase} ${Math.round(share)} %`;
  };
  const rest = () => {
    clearInterval(timer);
    input.disabled = false;
    stop.hidden = true;
    bar.hidden = true;
    go.disabled = !file;
  };
  const piece = async () => {
    const buffer = await file.slice(at, at + PIECE).arrayBuffer();
    at += buffer.byteLength;
    show((100 * at) / file.size, words.sending);
    model.send({ act: "piece", last: at >= file.size }, undefined, [buffer]);
  };

  input.addEventListener("change", () => choose(input.files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop") choose(event.dataTransfer.files[0]);
    });
  }
  go.addEventListener("click", () => {
    at = 0;
    input.disabled = go.disabled = true;
    stop.hidden = false;
    said.classList.remove("is-bad");
    show(0, words.sending);
    model.send({ act: "begin", name: file.name });
  });
  stop.addEventListener("click", () => model.send({ act: "stop" }));
  const receive = (told) => {
    if (told.next) piece();
    if (told.watch) {
      clearInterval(timer);
      timer = setInterval(() => model.send({ act: "ask" }), EVERY_MS);
    }
    if (told.share !== undefined) show(told.share, told.phase);
    if (told.ended !== undefined) {
      rest();
      said.textContent = told.ended;
      said.classList.toggle("is-bad", Boolean(told.bad));
    }
  };
  model.on("msg:custom", receive);
  return () => { clearInterval(timer); model.off("msg:custom", receive); };
}

export default { render };
