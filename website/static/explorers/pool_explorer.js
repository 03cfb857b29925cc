// <pool-explorer>: the largest number or the mean of a window, and where its gradient goes (lesson 04).
//
//     y[Y, X] = max_{0 ≤ i, j < k} x[sY + i, sX + j]        the winner (i*, j*): the first of equals
//     dx[m, n] = Σ_{Y,X} g[Y, X] · [m = sY + i*, n = sX + j*]
//
// The average has 1/k² for every pixel of the window in place of the winner's 1.  Here g = 1 everywhere, so dx
// counts how often a pixel wins.
"use strict";

{
  function outputSize(H, k, s) {
    return Math.floor((H - k) / s) + 1;
  }

  // The pixels of the window of y[Y, X], in reading order.
  function pixels(x, k, s, Y, X) {
    return Array.from({ length: k ** 2 }, (_, n) => {
      const [row, column] = [s * Y + Math.floor(n / k), s * X + (n % k)];
      return { row, column, value: x[row][column] };
    });
  }

  // The pixel that wins: `>`, not `>=`, so that the first of equals stays.
  function winner(x, k, s, Y, X) {
    return pixels(x, k, s, Y, X).reduce((best, pixel) => (pixel.value > best.value ? pixel : best));
  }

  // How much each pixel of a window has in its result: [{row, column, share}, ...].
  function shares(kind, x, k, s, Y, X) {
    if (kind === "maximum") return [{ ...winner(x, k, s, Y, X), share: 1 }];
    return pixels(x, k, s, Y, X).map((pixel) => ({ ...pixel, share: 1 / k ** 2 }));
  }

  // y, by a function of the place.
  function places(x, k, s, result) {
    const [Ho, Wo] = [outputSize(x.length, k, s), outputSize(x[0].length, k, s)];
    return Array.from({ length: Ho }, (_, Y) => Array.from({ length: Wo }, (_, X) => result(Y, X)));
  }

  function pool(kind, x, k, s) {
    return places(x, k, s, (Y, X) =>
      shares(kind, x, k, s, Y, X).reduce((sum, { value, share }) => sum + share * value, 0));
  }

  // dx for the gradient g of the result.  Windows may overlap: the shares are added.
  function backward(kind, x, k, s, g) {
    const dx = x.map((row) => row.map(() => 0));
    places(x, k, s, (Y, X) => {
      for (const { row, column, share } of shares(kind, x, k, s, Y, X)) dx[row][column] += share * g[Y][X];
    });
    return dx;
  }

  if (typeof module !== "undefined") {
    module.exports = { outputSize, pixels, winner, pool, backward };
  } else {
    const { slider, choice, figure, outline, text, ink } = explorers;
    const SIDE = 10; // few enough pixels that each shows its number
    const CELL = 30; // the width of a pixel in the picture's own units

    class PoolExplorer extends explorers.Explorer {
      page() {
        return `
          <h3>Pooling explorer</h3>
          <p>Each window of <i>k</i> × <i>k</i> pixels makes one pixel of the result. Going back, its gradient goes
            to the pixel that won, or to all of them alike. Make the stride smaller than the window: they overlap,
            and some pixels win several times.</p>
          <div class="controls">
            ${choice("kind", "pooling", [["maximum", "maximum"], ["average", "average"]])}
            ${slider("k", "window <i>k</i>", 1, 6, 2)}
            ${slider("s", "stride <i>s</i>", 1, 6, 2)}
            ${slider("Y", "row <i>Y</i>", 0, 4, 1)}
            ${slider("X", "column <i>X</i>", 0, 4, 0)}
          </div>
          <div class="pictures">
            ${figure("image", "image x: part of a coin's edge")}
            ${figure("output")}
            ${figure("gradient")}
          </div>
          <p class="result" data-part="result" role="status"></p>
          <p class="sum" data-part="size"></p>`;
      }

      draw() {
        const kind = this.control("kind").value;
        const [k, s] = [this.value("k"), this.value("s")];
        const Ho = outputSize(SIDE, k, s);
        for (const name of ["Y", "X"]) this.limit(name, 0, Ho - 1);
        const [Y, X] = [this.value("Y"), this.value("X")];
        const x = explorers.coin.slice(4, 4 + SIDE).map((row) => row.slice(2, 2 + SIDE));
        const y = pool(kind, x, k, s);
        const dx = backward(kind, x, k, s, y.map((row) => row.map(() => 1)));
        const from = shares(kind, x, k, s, Y, X);

        const window = square(s * X, s * Y, k);
        this.grid("image", x, (grey) => grey, window + (kind === "maximum" ? rings(from) : ""),
          `The image with the window of ${k} by ${k} pixels.`);
        this.grid("output", y, Math.round, square(X, Y, 1), `The result, ${Ho} by ${Ho} pixels.`);
        this.part("output").style.width = `${(100 * Ho) / SIDE}%`; // one pixel is as large in all three pictures
        const most = Math.max(...dx.flat());
        this.grid("gradient", dx, (share) => Math.round((255 * share) / most), window + rings(from),
          "The gradient of the image: how much each pixel has in the results.");
        this.part("output-caption").textContent = `result y, ${Ho} × ${Ho}`;
        this.part("gradient-caption").textContent = kind === "maximum"
          ? "gradient dx for g = 1: how many windows a pixel wins"
          : "gradient dx for g = 1: 1/k² from each window that sees a pixel";
        this.write(kind, x, { k, s, Ho, Y, X }, y[Y][X], from);
      }

      // Numbers on their grey.
      grid(name, values, grey, marks, label) {
        const side = values.length * CELL;
        const cells = values.flatMap((row, r) => row.map((value, c) => {
          const shade = grey(value);
          return `<rect x="${c * CELL}" y="${r * CELL}" width="${CELL}" height="${CELL}"
              fill="rgb(${shade},${shade},${shade})"/>
            <text x="${(c + 0.5) * CELL}" y="${(r + 0.5) * CELL}" fill="${ink(shade)}">${short(value)}</text>`;
        }));
        const svg = this.part(name);
        svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
        svg.setAttribute("aria-label", label);
        svg.innerHTML = cells.join("") + marks;
      }

      write(kind, x, { k, s, Ho, Y, X }, value, from) {
        if (kind === "maximum") {
          const { row, column } = from[0];
          const equals = pixels(x, k, s, Y, X).filter((pixel) => pixel.value === value).length;
          const tie = equals > 1 ? ` ${equals} pixels are equal: the first in reading order wins.` : "";
          this.say(`y[${Y}, ${X}] = ${value}, the largest of ${k ** 2}. It came from x[${row}, ${column}], and the
            whole gradient goes there.${tie}`);
        } else {
          this.say(`y[${Y}, ${X}] = ${text(value)}, the mean of ${k ** 2}. Each pixel of the window gets
            1/${k ** 2} = ${text(1 / k ** 2)} of the gradient.`);
        }
        this.part("size").innerHTML = `<i>H<sub>o</sub></i> = ⌊(<i>H</i> − <i>k</i>) / <i>s</i>⌋ + 1
          = ⌊(${SIDE} − ${k}) / ${s}⌋ + 1 = <b>${Ho}</b>${
            s > k ? ". The stride is larger than the window: some pixels are never seen." : ""}`;
      }
    }

    // Three characters at most: 0.25 is written .25.
    function short(value) {
      if (value >= 10) return String(Math.round(value));
      return text(value, 2).replace(/^0\./, ".");
    }

    function square(x, y, side) {
      return outline(x * CELL, y * CELL, side * CELL);
    }

    function rings(cells) {
      return cells.map(({ row, column }) => {
        const where = `cx="${(column + 0.5) * CELL}" cy="${(row + 0.5) * CELL}" r="${0.46 * CELL}"`;
        return `<circle class="outline-wide" ${where}/><circle class="outline" ${where}/>`;
      }).join("");
    }

    customElements.define("pool-explorer", PoolExplorer);
  }
}
