// The page works without this file. With it: what is new is counted while one reads,
// filters and pages come without a reload, a CSV shows how far it is.
"use strict";
(() => {
  const number = new Intl.NumberFormat("en");
  const show = (text) => {
    const line = document.querySelector(".progress");
    if (line) line.textContent = text;
  };
  // What is shown, and what is only said to those who cannot see the page change.
  const say = (text) => { document.getElementById("said").textContent = text; };
  const tell = (text) => { show(text); say(text); };

  // What is new on top, asked every half minute while somebody looks.
  const look = async () => {
    const link = document.querySelector("[data-live]");
    if (!link || document.visibilityState !== "visible") return;
    try {
      const answer = await fetch(link.dataset.live, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) return;
      const { count, late = 0 } = await answer.json();
      const text = [count && (count >= 100 ? "100 or more" : count) + " new", late && number.format(late) + " late"].filter(Boolean).join(", ");
      if (link.hidden && text) say(text + ", above the list");
      link.hidden = !text;
      link.textContent = text;
    } catch { /* the network is away: the next look will tell */ }
  };
  setInterval(look, 30000);
  document.addEventListener("visibilitychange", look);

  // Another page of the list, put into this one.
  const page = () => location.pathname + location.search;
  let shown = page();
  let under = null;
  const swap = async (url, push, pressed) => {
    under?.abort();
    under = new AbortController();
    document.documentElement.classList.add("busy");
    try {
      const answer = await fetch(url, { signal: under.signal });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = next.querySelector("main");
      if (!main || new URL(answer.url).pathname !== new URL(url, location.href).pathname) {
        location.href = url;
        return;
      }
      const again = pressed?.closest(".filters") && pressed.textContent;
      document.querySelector("main").replaceWith(main);
      document.title = next.title;
      if (push) history.pushState(null, "", answer.url);
      shown = page();
      // The focus stays with what was pressed, if that is still there.
      const results = document.getElementById("results");
      const wrong = main.querySelector("[aria-invalid]");
      const same = wrong ?? (again && [...main.querySelectorAll(".filters a")].find((e) => e.textContent === again));
      (same || results)?.focus({ preventScroll: !wrong });
      if (push && !same && results?.getBoundingClientRect().top < 0) results.scrollIntoView();
      if (!wrong) say(document.getElementById("found")?.textContent ?? "");
    } catch (e) {
      if (e.name !== "AbortError") location.href = url;
    } finally {
      document.documentElement.classList.remove("busy");
    }
  };
  addEventListener("popstate", () => {
    if (page() === shown) return; // only another place in it, as by the link to the content
    if (document.getElementById("results")) swap(location.href, false);
    else location.reload();
  });

  document.addEventListener("submit", (e) => {
    const form = e.target.closest("form[data-swap]");
    if (!form) return;
    e.preventDefault();
    const url = new URL(form.getAttribute("action") ?? "", location.href); // form.action may be a field of this name
    url.search = new URLSearchParams([...new FormData(form)].filter(([, v]) => v !== ""));
    swap(url.href, true);
  });

  document.addEventListener("click", (e) => {
    const t = e.target.closest("a, button");
    if (!t || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    if ("print" in t.dataset) {
      print();
    } else if (t.dataset.copy) {
      copy(document.querySelector(t.dataset.copy).textContent);
    } else if ("export" in t.dataset) {
      e.preventDefault();
      download(t.href, t.dataset.export, t.dataset.count);
    } else if (t.href && !t.hasAttribute("download") && t.origin === location.origin && t.pathname === location.pathname && document.getElementById("results") && !t.hash) {
      e.preventDefault();
      swap(t.href, true, t);
    }
  });

  // An open list of stores closes by a click beside it, and by Escape.
  document.addEventListener("pointerdown", (e) => {
    for (const d of document.querySelectorAll(".picker[open]")) if (!d.contains(e.target)) d.open = false;
  });
  document.addEventListener("keydown", (e) => {
    const d = e.key === "Escape" && e.target.closest?.(".picker[open]");
    if (d) { d.open = false; d.querySelector("summary").focus(); }
  });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied.");
    } catch {
      tell("The browser does not let this page copy. Select the text and copy it yourself.");
    }
  };

  // A CSV whose rows are counted as they come. A broken one is never saved.
  // The number of rows, if the page does not tell it, is asked for at the same time.
  const download = async (url, known, counted) => {
    const parts = [];
    let rows = -1; // the header is no row
    let quoted = false;
    let total = known && Number(known);
    tell("Preparing the CSV.");
    if (counted) {
      fetch(counted, { headers: { Accept: "application/json" } }).then((a) => a.json()).then((a) => { total = a.count; }).catch(() => { /* it goes on without */ });
    }
    try {
      const answer = await fetch(url);
      if (!answer.ok || answer.redirected) { location.href = url; return; }
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(value);
        for (const b of value) {
          if (b === 34) quoted = !quoted;
          else if (b === 10 && !quoted) rows++;
        }
        const read = number.format(Math.max(rows, 0));
        show(total ? `${read} of ${number.format(total)} rows` : `${read} rows so far`);
      }
      const name = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "export.csv";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      tell(`${name}: ${number.format(rows)} ${rows === 1 ? "row" : "rows"}, complete.`);
    } catch {
      tell("The CSV broke off, and nothing was saved. Try again.");
    }
  };

  look();
})();
