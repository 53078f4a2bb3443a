// Asks the server what changed and puts the parts that did in the place of the old ones. Without it the page is whole too.
"use strict";

(() => {
  const EVERY_MS = 1000;
  const MOST_MS = 15000;
  const FOCUSABLE = "a[href], button, summary, [tabindex]";
  const SCROLLS = ".wide, .drawing";
  const said = document.getElementById("said");
  const state = document.getElementById("state");
  let waitMs = EVERY_MS;
  let timer = 0;
  let isLooking = false;

  const tell = (element, text) => {
    // Told once: a screen reader would say the same again.
    if (element.textContent !== text) element.textContent = text;
  };

  const ask = async (path) => {
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 403) throw new Error("This page needs the address with the token that the server printed.");
    if (!answer.ok) throw new Error(`The server answers with ${answer.status}.`);
    return answer;
  };

  const isBeingSelected = (part) => {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
  };

  // What a person did to a part: it is done to the new one as well.
  const stateOf = (part) => {
    const active = document.activeElement;
    const name = (details) => details.querySelector("summary")?.textContent ?? "";
    return {
      id: part.contains(active) ? active.id : "",
      focused: [...part.querySelectorAll(FOCUSABLE)].indexOf(active),
      open: new Map([...part.querySelectorAll("details")].map((details) => [details.id || name(details), details.open])),
      scrolled: [...part.querySelectorAll(SCROLLS)].map((element) => [element.scrollLeft, element.scrollTop]),
      restore() {
        for (const details of part.querySelectorAll("details")) {
          const open = this.open.get(details.id || name(details));
          if (open !== undefined) details.open = open;
        }
        part.querySelectorAll(SCROLLS).forEach((element, number) => {
          [element.scrollLeft, element.scrollTop] = this.scrolled[number] ?? [0, 0];
        });
        if (this.focused < 0) return;
        const again = (this.id && document.getElementById(this.id)) || part.querySelectorAll(FOCUSABLE)[this.focused];
        again?.focus({ preventScroll: true });
      },
    };
  };

  const replace = async (part, name) => {
    const text = await (await ask(`/part/${name}`)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part.id);
    if (fresh === null || isBeingSelected(part)) return;
    const before = stateOf(part);
    part.replaceChildren(...fresh.childNodes);
    part.dataset.digest = fresh.dataset.digest;
    before.restore();
  };

  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    clearTimeout(timer);
    try {
      const watch = await (await ask("/watch.json")).json();
      for (const [name, digest] of Object.entries(watch.parts)) {
        const part = document.getElementById(`part-${name}`);
        if (part !== null && part.dataset.digest !== digest) await replace(part, name);
      }
      tell(said, watch.said);
      tell(state, watch.fault);
      document.documentElement.dataset.state = watch.fault ? "old" : "live";
      waitMs = EVERY_MS;
    } catch (error) {
      const why = error instanceof TypeError || error.name === "TimeoutError" ? "The server does not answer." : error.message;
      tell(state, `${why} What is shown may be old.`);
      document.documentElement.dataset.state = "old";
      waitMs = Math.min(waitMs * 2, MOST_MS);
    } finally {
      isLooking = false;
      if (!document.hidden) timer = setTimeout(look, waitMs);
    }
  };

  // A tab that nobody sees asks for nothing.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) look();
  });
  document.documentElement.dataset.state = "live";
  timer = setTimeout(look, EVERY_MS);
})();
