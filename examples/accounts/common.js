// What both pages share: talking to the server, messages, and the table of entries.
//
// Everything that came from a user is put in as text, never as markup.

const MESSAGES = {
  cross_site: "The server refused the request because it seems to come from another site.",
  session_superseded: "This session was renewed in another tab. Please try again.",
  cookie_held: "The session in this browser has just ended. Log in to go on, or wait a minute.",
  store_unavailable: "The server cannot look up sessions at the moment. Please try again shortly.",
  not_authenticated: "You are no longer logged in.",
  invalid_user: "Please enter a name, at most 255 bytes long.",
  body_too_large: "This value is far too large for a session.",
};

/** An answer of the server that is not the one hoped for. */
export class Refused extends Error {
  constructor(status, body) {
    super(describe(status, body));
    this.status = status;
    this.code = body?.error;
  }
}

function describe(status, body) {
  if (body?.error === "session_too_large") {
    const excess = body.bytes - body.limit;
    return `This does not fit: the session would need ${body.bytes} bytes and may have ${body.limit}, `
      + `so ${excess} bytes have to go. Nothing was changed.`;
  }
  return MESSAGES[body?.error] ?? `The server answered with an error (${status}).`;
}

/** Sends a request; the answer's JSON, or null if it has none. */
export async function api(method, path, value) {
  const options = { method };
  if (value !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = typeof value === "string" ? value : JSON.stringify(value);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    // An answer that is not JSON is told by its status alone.
  }
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

/** Makes an element: element("p", { class: "hint" }, "text", child, ...). */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function notify(text, kind = "good") {
  const notice = document.getElementById("notice");
  notice.className = `notice ${kind}`;
  notice.textContent = text;
  notice.hidden = false;
}

/** Runs what a button stands for: once at a time, and with a message if it fails. */
export async function attempt(button, action) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    if (error instanceof Refused && error.code === "not_authenticated") {
      location.assign("/login");
      return;
    }
    notify(error.message, "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** Shows the session's entries in `root`, with a form to add one. */
export async function showEntries(root) {
  const rows = element("tbody");
  const table = element("table", {},
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, "Name"),
      element("th", { scope: "col" }, "Value (JSON)"),
      element("th", { scope: "col" }, element("span", { class: "unseen" }, "Actions")))),
    rows);
  const empty = element("p", { class: "empty" }, "Nothing is stored yet.");
  const form = addForm((key, value) => save(key, value));
  root.replaceChildren(table, empty, form);

  async function refresh() {
    // As text: numbers beyond 2^53 would not survive JavaScript's own.
    const response = await fetch("/api/entries");
    if (!response.ok) throw new Refused(response.status, null);
    const entries = members(await response.text());
    rows.replaceChildren(...entries.map(([key, text]) => row(key, text, save, remove)));
    table.hidden = entries.length === 0;
    empty.hidden = entries.length !== 0;
  }
  async function save(key, text) {
    await api("PUT", path(key), text);
    await refresh();
    notify(`“${key}” is stored.`);
  }
  async function remove(key) {
    await api("DELETE", path(key));
    await refresh();
    notify(`“${key}” is deleted.`);
    root.querySelector("[name=key]").focus();
  }
  await refresh();
}

function path(key) {
  // Browsers resolve these two like folders, however they are spelled.
  if (key === "." || key === "..") throw new Error("A browser cannot ask for an entry of this name.");
  return `/api/entries/${encodeURIComponent(key)}`;
}

/** The text of a value, checked. Text that is no JSON is taken as a string. */
function asJson(text) {
  const trimmed = text.trim();
  try {
    JSON.parse(trimmed);
    return trimmed;
  } catch {
    if (/^[[{"]/.test(trimmed)) throw new Error("This looks like JSON but is not valid.");
    return JSON.stringify(trimmed);
  }
}

function addForm(save) {
  const key = element("input", { name: "key", id: "new-key", autocomplete: "off", spellcheck: "false" });
  const value = element("input", { name: "value", id: "new-value", autocomplete: "off", spellcheck: "false" });
  const button = element("button", { type: "submit" }, "Add");
  const form = element("form", { class: "add" },
    element("div", {}, element("label", { for: "new-key" }, "Name"), key),
    element("div", { class: "grow" }, element("label", { for: "new-value" }, "Value"), value),
    button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(button, async () => {
      if (key.value === "") {
        key.focus();
        throw new Error("An entry needs a name.");
      }
      await save(key.value, asJson(value.value));
      form.reset();
      key.focus();
    });
  });
  return form;
}

function row(key, text, save, remove) {
  const input = element("input", { "aria-label": `Value of ${key}`, value: text, autocomplete: "off", spellcheck: "false" });
  const store = element("button", { type: "submit", "aria-label": `Save ${key}` }, "Save");
  const discard = element("button", { type: "button", class: "quiet", "aria-label": `Delete ${key}` }, "Delete");
  const form = element("form", { class: "value" }, input, store);
  store.hidden = true;
  input.addEventListener("input", () => { store.hidden = input.value === text; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(store, () => save(key, asJson(input.value)));
  });
  discard.addEventListener("click", () => attempt(discard, () => remove(key)));
  return element("tr", {},
    element("th", { scope: "row" }, key),
    element("td", { class: "wide" }, form),
    element("td", {}, discard));
}

/** The members of a JSON object, each value as the text that the server sent. */
function members(text) {
  const found = [];
  let at = 1;
  while (text[at] === '"') {
    const colon = end(text, at);
    const stop = end(text, colon + 1);
    found.push([JSON.parse(text.slice(at, colon)), text.slice(colon + 1, stop)]);
    at = stop + 1;
  }
  return found;
}

/** Where the JSON value that begins at `at` ends. The text is known to be valid. */
function end(text, at) {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"') {
      for (i += 1; text[i] !== '"'; i += 1) if (text[i] === "\\") i += 1;
    } else if (depth === 0 && ",:}]".includes(character)) {
      return i;
    } else if ("[{".includes(character)) {
      depth += 1;
    } else if ("]}".includes(character)) {
      depth -= 1;
    }
  }
  return text.length;
}
