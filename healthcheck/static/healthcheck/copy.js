// Copies the text behind a link instead of following it, where the browser lets a page do so.
for (const link of document.querySelectorAll("a[data-copied]")) {
  link.addEventListener("click", async (event) => {
    if (!navigator.clipboard || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const answer = await fetch(link.href, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      await navigator.clipboard.writeText(await answer.text());
      document.getElementById("said").textContent = link.dataset.copied;
      link.textContent = link.dataset.copied;
    } catch {
      location.assign(link.href);
    }
  });
}
