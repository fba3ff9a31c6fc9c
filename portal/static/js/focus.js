// When a panel closes, the focus goes back to the button that had opened it.
let opener = "";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[id^='buy-']");
  if (button) opener = button.id;
  if (event.target.closest(".close")) {
    document.addEventListener("htmx:after:swap", () => document.getElementById(opener)?.focus(), { once: true });
  }
});

// Escape closes the panel one is in.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest?.(".panel")?.querySelector(".close")?.click();
});

// A link that acts as a button answers to the space bar as one.
document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches?.("a[role='button']")) {
    event.preventDefault();
    event.target.click();
  }
});

// "/" goes to the search field from anywhere but another field.
document.addEventListener("keydown", (event) => {
  const field = document.getElementById("q");
  if (event.key === "/" && field && !event.target.matches("input, select, textarea")) {
    event.preventDefault();
    field.focus();
  }
});

// The portal did not answer: say so, and that the same click again buys nothing twice.
document.addEventListener("htmx:error", (event) => {
  const words = document.getElementById("unanswered");
  const place = event.detail?.ctx?.sourceElement?.closest?.(".panel, form");
  if (!words || !place || document.querySelector(".unanswered")) return;
  const notice = words.content.firstElementChild.cloneNode(true);
  notice.classList.add("unanswered");
  place.append(notice);
});
document.addEventListener("htmx:after:swap", () => document.querySelector(".unanswered")?.remove());
