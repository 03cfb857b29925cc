// What the explorers share: how numbers are written, how a slider looks in HTML, and the element that they
// all extend.  Load this file first, then coins.js (made by website/make_image.py), then the explorers.
//
// They are classic scripts, since browsers refuse module scripts on pages opened from a file.  Classic scripts
// see each other's top-level names; each explorer therefore stands in a block, and only `explorers` is shared.
"use strict";

globalThis.explorers = {
  coin: [], // rows of grey values from 0 to 255; coins.js fills it

  // The middle side×side pixels of the coin.
  crop(side) {
    const first = Math.floor((explorers.coin.length - side) / 2);
    return explorers.coin.slice(first, first + side).map((row) => row.slice(first, first + side));
  },

  // A number as it is written in mathematics: at most three digits behind the point, and a true minus sign.
  text(number, digits = 3) {
    const rounded = Number(number.toFixed(digits));
    return String(rounded === 0 ? 0 : rounded).replace("-", "−");
  },

  // Large and small numbers alike: 0.0123, 4.1 · 10⁻⁷.
  power(number) {
    if (number === 0) return "0";
    const exponent = Math.floor(Math.log10(Math.abs(number)));
    if (exponent >= -3 && exponent < 5) return explorers.text(number, Math.max(0, 2 - exponent));
    return `${explorers.text(number / 10 ** exponent, 1)} · ${explorers.powerOfTen(exponent)}`;
  },

  // 10⁻⁷ for −7.
  powerOfTen(exponent) {
    return `10${[...String(exponent)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("")}`;
  },

  // A slider in its label.  `label` may hold tags; the number shown beside it is what `Explorer` keeps up to date.
  slider(name, label, min, max, value, step = 1) {
    return `<label class="control"><span>${label} = <b data-value="${name}"></b></span>
      <input type="range" name="${name}" min="${min}" max="${max}" step="${step}" value="${value}"></label>`;
  },

  // A choice in its label; options: [[value, text], ...].
  choice(name, label, options) {
    const lines = options.map(([value, text]) => `<option value="${value}">${text}</option>`);
    return `<label class="control"><span>${label}</span><select name="${name}">${lines.join("")}</select></label>`;
  },

  // A picture that `draw` fills, with a line beneath it.
  figure(name, caption = "") {
    return `<figure><svg data-part="${name}" role="img"></svg>
      <figcaption data-part="${name}-caption">${caption}</figcaption></figure>`;
  },

  // Shapes of a picture; their class says how they look.
  rect(name, x, y, width, height) {
    return `<rect class="${name}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
  },

  line(name, x1, y1, x2, y2) {
    return `<line class="${name}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
  },

  // A square that is seen on black, grey and white alike: a dark line within a bright one.
  outline(x, y, side) {
    return explorers.rect("outline-wide", x, y, side, side) + explorers.rect("outline", x, y, side, side);
  },

  // Black or white, whichever can be read on a grey of 0 to 255: both have a contrast of 4.5 at 117.
  ink(grey) {
    return grey > 117 ? "#000" : "#fff";
  },
};

// In node there is no page: the tests load what stands above.
if (typeof module !== "undefined") {
  module.exports = explorers;
} else {
  // An explorer says in `page()` what stands in it, once, and in `draw()` what changes with the controls.
  explorers.Explorer = class extends HTMLElement {
    connectedCallback() {
      if (this.classList.contains("explorer")) return; // moved within the page: it is built already
      this.classList.add("explorer");
      this.innerHTML = this.page();
      this.addEventListener("input", () => this.refresh());
      this.refresh();
      // A picture with letters is drawn anew for another width, so that letters keep their size.  Only the
      // width counts: drawing changes the height, and must not call itself again.
      let width = this.clientWidth;
      new ResizeObserver(() => {
        if (this.clientWidth === width) return;
        width = this.clientWidth;
        requestAnimationFrame(() => this.refresh());
      }).observe(this);
    }

    refresh() {
      this.draw();
      for (const shown of this.querySelectorAll("[data-value]")) {
        shown.textContent = explorers.text(this.value(shown.dataset.value));
      }
    }

    control(name) {
      return this.querySelector(`[name="${name}"]`);
    }

    value(name) {
      return Number(this.control(name).value);
    }

    // Hold a slider within what is possible now.  The browser moves its value inside by itself.
    limit(name, min, max) {
      Object.assign(this.control(name), { min, max });
      this.control(name).disabled = min === max;
    }

    part(name) {
      return this.querySelector(`[data-part="${name}"]`);
    }

    // What a screen reader speaks, in HTML: written only when it is new, or it would be spoken at every change.
    say(words) {
      if (this.said === words) return;
      this.said = words;
      this.part("result").innerHTML = words;
    }
  };
}
