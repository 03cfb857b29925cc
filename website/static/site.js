// Formulas are drawn by KaTeX, as HTML for the eye and MathML for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  for (const node of document.querySelectorAll(".math")) {
    katex.render(node.textContent, node, { displayMode: node.tagName === "DIV", throwOnError: false });
  }
  // The empty corner of a table is no header.
  for (const head of document.querySelectorAll("th")) {
    if (!head.textContent.trim()) head.replaceWith(document.createElement("td"));
  }
  markScrolling("pre, .cell_output");
  // How wide a formula is, its letters decide, and they come last.
  document.fonts.ready.then(fitFormulas);
});

// A formula that is a little wider than a phone becomes a little smaller.
function fitFormulas() {
  for (const node of document.querySelectorAll("div.math")) {
    const share = node.clientWidth / node.scrollWidth;
    if (share < 1) node.style.fontSize = `${Math.max(0.75, share - 0.01)}em`;
  }
  markScrolling("div.math");
}

// What is still wider than the page scrolls by itself, with the keyboard too.
function markScrolling(kinds) {
  for (const node of document.querySelectorAll(kinds)) {
    if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
  }
}
