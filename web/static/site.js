// Times in the reader's zone, and pages that stay live; everything else works without this.
(() => {
  "use strict";

  const POLL = 2000;
  const QUIET = 5000; // while events come: what no event tells, such as that Redis is away
  const CLOSE = 400; // between two looks that events ask for
  const AGAIN = 5000; // until a stream that was refused is opened again
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      const format = "clock" in time.dataset ? clock : day;
      if (!Number.isNaN(moment.getTime())) time.textContent = format.format(moment);
    }
  }

  // Changes what differs and nothing else: focus, open details and the scroll position stay.
  function morph(from, to) {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || from.id !== to.id) {
      from.replaceWith(document.adoptNode(to));
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    for (const { name } of [...from.attributes]) {
      if (name !== "open" && !to.hasAttribute(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (name !== "open" && from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
    morphChildren(from, [...to.childNodes]);
  }

  // What has an id stays itself, also where others come before it or go; what has none is matched
  // with what stands in its place.
  function morphChildren(from, children) {
    const known = new Map([...from.children].filter((one) => one.id).map((one) => [one.id, one]));
    const wanted = new Set(children.map((one) => one.id).filter(Boolean));
    let at = from.firstChild;
    for (const child of children) {
      const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
      if (!same) {
        from.insertBefore(document.adoptNode(child), at);
        continue;
      }
      while (at && at !== same && !wanted.has(at.id)) at = drop(at);
      if (at !== same) from.insertBefore(same, at);
      else at = at.nextSibling;
      morph(same, child);
    }
    while (at) at = drop(at);
  }

  function drop(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  function follow(live) {
    const said = document.querySelector("[data-connection]");
    let etag = "";
    let timer = 0;
    let due = Infinity;
    let busy = false;
    let stream = null;
    let streaming = false;
    let lost = false;
    let over = "over" in live.dataset;

    function say(words, kind) {
      if (said.textContent !== words) said.textContent = words;
      said.dataset.connection = kind;
    }

    function showConnection() {
      if (over) say("", "");
      else if (lost) say("Connection lost. What you see may be old; trying again…", "lost");
      else if (streaming) say("Live", "live");
      else say(live.dataset.events ? `Updated every ${POLL / 1000} seconds` : "", "polling");
    }

    function look(wait) {
      const when = Date.now() + wait;
      if (when >= due) return;
      due = when;
      clearTimeout(timer);
      timer = setTimeout(refresh, wait);
    }

    async function refresh() {
      due = Infinity;
      if (busy) return look(CLOSE);
      busy = true;
      try {
        // Looked at by nobody perhaps: it must not keep the session from ending.
        const headers = { "X-Mindcorpus-Poll": "1", ...(etag && { "If-None-Match": etag }) };
        const answer = await fetch(location.href, {
          headers, cache: "no-store", credentials: "same-origin", redirect: "manual",
          signal: AbortSignal.timeout(15000),
        });
        if (answer.type === "opaqueredirect") return location.reload(); // signed out
        if (answer.status === 200) {
          etag = answer.headers.get("ETag") || "";
          show(await answer.text());
        } else if (answer.status !== 304) {
          throw new Error(String(answer.status));
        }
        lost = false;
      } catch {
        lost = true;
      }
      busy = false;
      showConnection();
      if (over) close();
      else look(streaming && !lost ? QUIET : POLL);
    }

    function show(text) {
      const page = new DOMParser().parseFromString(text, "text/html");
      localise(page);
      for (const id of ["live", "health"]) {
        const from = document.getElementById(id);
        const to = page.getElementById(id);
        if (from && to) morph(from, to);
      }
      document.title = page.title;
      over = "over" in live.dataset;
    }

    function open() {
      if (over || stream || !live.dataset.events || !window.EventSource || document.hidden) return;
      stream = new EventSource(live.dataset.events);
      stream.onopen = () => { streaming = true; lost = false; showConnection(); look(0); };
      for (const name of ["snapshot", "state", "progress", "reset"]) {
        stream.addEventListener(name, () => look(name === "state" ? 0 : CLOSE));
      }
      // It goes on by itself from the last event; only one that was refused does not.
      stream.onerror = () => {
        streaming = false;
        if (stream.readyState === EventSource.CLOSED) {
          stream = null;
          setTimeout(open, AGAIN);
        }
        look(0);
      };
    }

    function close() {
      if (stream) stream.close();
      stream = null;
      streaming = false;
    }

    document.addEventListener("visibilitychange", () => {
      if (over) return;
      if (document.hidden) {
        close();
        clearTimeout(timer);
        due = Infinity;
      } else {
        open();
        look(0);
      }
    });
    window.addEventListener("pagehide", close);
    showConnection();
    open();
    if (!over) look(live.dataset.events ? CLOSE : POLL);
  }

  // A page of before a sign-out is not shown again; forms that are being filled in are.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && !document.querySelector("form.fields")) location.reload();
  });

  // What stands in an element, for the clipboard; only pages that browsers trust have one.
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) break;
    const said = button.nextElementSibling;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "The browser did not allow it: select the text and copy it.";
      }
      setTimeout(() => { said.textContent = ""; }, 4000);
    });
  }

  localise(document);
  const live = document.querySelector("[data-live]");
  if (live) follow(live);
})();
