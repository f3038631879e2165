// A button at each block of code that copies what can be run: without prompts and without
// what was printed, where there are prompts.
"use strict";

const runnable = (text) => {
  const lines = text.split("\n");
  if (!lines.some((line) => /^>>> /.test(line))) {
    return text.trimEnd() + "\n";
  }
  const typed = lines.filter((line) => /^(>>>|\.\.\.)( |$)/.test(line));
  return typed.map((line) => line.slice(4)).join("\n") + "\n";
};

const addButton = (block) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy";
  button.setAttribute("aria-label", "Copy this code");
  button.addEventListener("click", async () => {
    const text = runnable(block.querySelector("pre").textContent);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = "not allowed";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  });
  block.append(button);
};

document.addEventListener("DOMContentLoaded", () => {
  // what a script of the gallery printed is not for copying
  const blocks = "div.highlight:has(pre):not(.sphx-glr-script-out div.highlight)";
  document.querySelectorAll(blocks).forEach(addButton);
});
