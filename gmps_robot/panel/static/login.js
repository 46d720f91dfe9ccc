// The token is in the fragment of the login link: browsers send that to nobody.
const problem = document.getElementById("problem");
const name = document.getElementById("name");
const token = document.getElementById("token");

async function login(secret) {
  problem.textContent = "";
  const body = { token: secret };
  if (name.value.trim()) body.name = name.value.trim();
  try {
    const answer = await fetch("/api/login", {
      method: "POST", headers: { "Content-Type": "application/json", "X-GMPS": "1" }, body: JSON.stringify(body),
    });
    if (answer.ok) {
      localStorage.setItem("gmps-name", (await answer.json()).name);
      location.replace("/");
      return;
    }
    problem.textContent = (await answer.json()).message;
  } catch {
    problem.textContent = "The panel does not answer. Is it running?";
  }
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  login(token.value.trim());
});

const secret = location.hash.slice(1);
if (secret) {
  history.replaceState(null, "", "/login"); // the token is spent: it must not stay in the history
  login(secret);
} else {
  name.value = localStorage.getItem("gmps-name") ?? "";
}
