// Formulas are drawn by KaTeX, as HTML for the eye and MathML for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  for (const node of document.querySelectorAll(".math")) drawFormula(node, node.textContent);
  joinPunctuation();
  // The empty corner of a table is no header.
  for (const head of document.querySelectorAll("th")) {
    if (!head.textContent.trim()) head.replaceWith(document.createElement("td"));
  }
  markScrolling("pre, .cell_output");
  // How wide a formula is, its letters decide, and they come last.
  document.fonts.ready.then(fitFormulas);
});

function drawFormula(node, tex) {
  katex.render(tex, node, { displayMode: node.tagName === "DIV", throwOnError: false });
}

// No line begins with the comma after a formula, or ends with the bracket before it.
function joinPunctuation() {
  for (const node of document.querySelectorAll("span.math")) {
    const { previousSibling: before, nextSibling: after } = node;
    const text = (beside) => (beside?.nodeType === Node.TEXT_NODE ? beside.data : "");
    const [opening] = text(before).match(/[(\u201c]+$/) ?? [""];
    const [closing] = text(after).match(/^[,.;:?!)\u201d]+/) ?? [""];
    if (!opening && !closing) continue;
    const joined = Object.assign(document.createElement("span"), { className: "joined" });
    node.replaceWith(joined);
    if (opening) before.data = before.data.slice(0, -opening.length);
    if (closing) after.data = after.data.slice(closing.length);
    joined.append(opening, node, closing);
  }
}

// A row of formulas that is wider than a phone is stacked; what is still a little wider becomes a little smaller.
function fitFormulas() {
  for (const node of document.querySelectorAll("div.math")) {
    const share = () => node.clientWidth / node.scrollWidth;
    const lines = share() < 0.9 ? stacked(node.querySelector("annotation")?.textContent ?? "") : "";
    if (lines) drawFormula(node, lines);
    if (share() < 1) node.style.fontSize = `${Math.max(0.75, share() - 0.01)}em`;
  }
  markScrolling("div.math");
  // In a line only a long one may break, or one that is folded away and has no width yet.
  for (const node of document.querySelectorAll("span.math")) {
    const { width } = node.getBoundingClientRect();
    node.classList.toggle("long", width === 0 || width > 240);
  }
}

// The formulas that \qquad separates, one beneath the other; nothing where there is one alone.
function stacked(tex) {
  const parts = [""];
  let depth = 0; // of brackets
  for (const [word] of tex.matchAll(/\\(?:[a-zA-Z]+|.)|[^\\]/gs)) {
    if (word === "{" || word === "\\begin") depth++;
    if (word === "}" || word === "\\end") depth--;
    if (word === "\\qquad" && depth === 0) parts.push("");
    else parts[parts.length - 1] += word;
  }
  return parts.length > 1 ? `\\begin{gathered}${parts.join("\\\\[0.6em]")}\\end{gathered}` : "";
}

// What is still wider than the page scrolls by itself, with the keyboard too.
function markScrolling(kinds) {
  for (const node of document.querySelectorAll(kinds)) {
    if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
  }
}
