// Keeps the report on the status page up to date, and says so when it cannot: a page that silently
// shows an old "all is well" is worse than none. Words come from data attributes, in the page's language.

const GIVE_UP_MS = 10000; // longer than the server's own deadline for a report
const OLD_AFTER_S = 30;

const report = document.getElementById("report");
const lost = document.getElementById("lost");
const follow = document.getElementById("follow");
const said = document.getElementById("said");
const favicon = document.getElementById("favicon");
const everyMs = 1000 * Number(report.dataset.everyS);

let arrivedAt = Date.now();
let trouble = null; // null, "silent" (no answer) or "error" (an answer that is no report)
let timer = 0;
let asking = false;
let spoken = report.firstElementChild.dataset.headline; // a reader has just read it

const shown = () => report.firstElementChild;
const ageS = () => (Date.now() - arrivedAt) / 1000;

function inWords(seconds) {
  const { seconds: s, minutes: m } = lost.dataset;
  return seconds < 120 ? s.replace("{n}", Math.round(seconds)) : m.replace("{n}", Math.floor(seconds / 60));
}

function say(text) {
  if (text === spoken) return;
  spoken = text;
  said.textContent = text; // a live region: every write is read aloud
}

function judge() {
  const reason = trouble ?? (ageS() > OLD_AFTER_S ? "old" : null);
  const { title, icon, headline } = shown().dataset;
  report.classList.toggle("old", reason !== null);
  lost.hidden = reason === null;
  follow.hidden = reason !== null;
  if (reason) lost.querySelector(".detail").textContent = lost.dataset[reason].replace("{age}", inWords(ageS()));
  document.title = reason ? `${lost.dataset.title}: ${title}` : title;
  const wanted = reason ? lost.dataset.icon : icon;
  if (favicon.getAttribute("href") !== wanted) favicon.setAttribute("href", wanted);
  say(reason ? lost.dataset.title : headline);
}

// Changes what differs and leaves the rest: focus, selected text and scroll positions survive a refresh.
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name); // the reader has opened it
  for (const { name, value } of [...fresh.attributes])
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((node, i) => (before[i] ? morph(before[i], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

async function fetchReport() {
  const response = await fetch(report.dataset.url, {
    cache: "no-store",
    signal: AbortSignal.timeout(GIVE_UP_MS),
  });
  const body = new DOMParser().parseFromString(await response.text(), "text/html").body;
  return body.querySelector("[data-view]"); // also with 503: an unhealthy report is a report
}

async function refresh() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    const fresh = await fetchReport();
    trouble = fresh ? null : "error";
    if (fresh && fresh.dataset.view !== shown().dataset.view) return location.reload(); // signed out, other language
    if (fresh) {
      morph(shown(), fresh);
      arrivedAt = Date.now();
    }
  } catch {
    trouble = "silent";
  }
  judge();
  asking = false;
  timer = setTimeout(refresh, everyMs);
}

follow.hidden = false;
timer = setTimeout(refresh, everyMs);
setInterval(judge, 1000); // timers stop while a computer sleeps; the clock does not
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("online", refresh);
addEventListener("pageshow", (event) => event.persisted && refresh());
