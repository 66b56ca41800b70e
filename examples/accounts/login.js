import { api, attempt, notify, showEntries, Refused } from "/assets/common.js";

const form = document.getElementById("login");
const user = document.getElementById("user");
const problem = document.getElementById("user-error");

function say(text) {
  problem.textContent = text;
  problem.hidden = text === "";
  if (text === "") user.removeAttribute("aria-invalid");
  else user.setAttribute("aria-invalid", "true");
}

user.addEventListener("input", () => say(""));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(form.querySelector("button"), async () => {
    try {
      const remember = document.getElementById("remember").checked;
      await api("POST", "/api/login", { user: user.value, remember });
      location.assign("/");
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "invalid_user") throw error;
      say(error.message);
      user.focus();
    }
  });
});

// What the page before had to say.
const parting = sessionStorage.getItem("parting");
if (parting) {
  sessionStorage.removeItem("parting");
  notify(parting);
}
showEntries(document.getElementById("entries")).catch((error) => notify(error.message, "bad"));
