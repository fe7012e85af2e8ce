// A wall is looked at and never touched: it fetches itself anew each minute. Where the server is away it says so, keeps
// what it shows, and tries again sooner.
const EVERY = 60_000, SOON = 10_000;
const wall = document.getElementById("wall");

async function renew() {
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    if (answer.status === 401 || answer.type === "opaqueredirect") return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    wall.replaceChildren(...page.getElementById("wall").children);
    wall.classList.remove("lost");
    setTimeout(renew, EVERY);
  } catch {
    wall.classList.add("lost");
    setTimeout(renew, SOON);
  }
}
setTimeout(renew, EVERY);
