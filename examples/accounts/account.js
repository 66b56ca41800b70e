import { api, attempt, element, notify, showEntries } from "/assets/common.js";

const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

async function showFacts() {
  const me = await api("GET", "/api/me");
  document.title = `${me.user} · Accounts`;
  document.getElementById("user").textContent = me.user;
  const moment = (text) => element("time", { datetime: text }, time.format(new Date(text)));
  const facts = [
    ["Session", element("code", {}, me.session)],
    ["Began", moment(me.created_at)],
    ["Logged in", moment(me.authenticated_at)],
    ["Ends at the latest", moment(me.expires_at)],
    ["Remembered", me.remembered ? "Yes, on this device" : "No, until the browser is closed"],
    ["Generation", element("code", {}, String(me.generation))],
  ];
  document.getElementById("facts").replaceChildren(...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function leave(text) {
  sessionStorage.setItem("parting", text);
  location.assign("/login");
}

const ACTIONS = {
  "logout": async () => {
    await api("POST", "/api/logout");
    leave("You are logged out.");
  },
  "logout-all": async () => {
    await api("POST", "/api/logout-all");
    leave("You are logged out everywhere.");
  },
  "logout-others": async () => {
    await api("POST", "/api/logout-others");
    await showFacts();
    notify("All your other sessions are ended.");
  },
  "renew": async () => {
    await api("POST", "/api/renew");
    await showFacts();
    notify("The session has a new cookie. The old one is dead in a few seconds.");
  },
};

for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => attempt(button, ACTIONS[button.dataset.action]));
}
attempt(document.body, async () => {
  await showFacts();
  await showEntries(document.getElementById("entries"));
});
// A page that comes back out of the browser's memory may be about a session that has ended.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
