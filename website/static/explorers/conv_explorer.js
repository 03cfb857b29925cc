// <conv-explorer>: a kernel moves over a photograph (lesson 02).
//
//     y[Y, X] = Σ_{i,j} w[i, j] · x[sY + di − p, sX + dj − p]           x = 0 outside the image
//     H_o = ⌊(H + 2p − d(k − 1) − 1) / s⌋ + 1
//
// The letters are those of lesson 02, and of lesson 07 for the dilation d; the picture has H = W pixels.
"use strict";

{
  // The kernels of lesson 02.  The mean exists for every size, the others for 3×3.
  const KERNELS = {
    "left to right": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "top to bottom": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    sharper: [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    spots: [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
  };

  function meanKernel(k) {
    return Array.from({ length: k }, () => Array(k).fill(1 / k ** 2));
  }

  // The kernel with another size: its upper left numbers stay, new ones are 0.
  function resized(w, k) {
    return Array.from({ length: k }, (_, i) => Array.from({ length: k }, (_, j) => w[i]?.[j] ?? 0));
  }

  function outputSize(H, k, s, p, d) {
    return Math.floor((H + 2 * p - d * (k - 1) - 1) / s) + 1;
  }

  // The window covers d(k − 1) + 1 pixels, and must fit into the H + 2p that there are.
  function largestDilation(H, k, p) {
    return k === 1 ? Infinity : Math.floor((H + 2 * p - 1) / (k - 1));
  }

  // The products that make y[Y, X], in reading order.
  function terms(x, w, s, p, d, Y, X) {
    return w.flatMap((weights, i) => weights.map((weight, j) => {
      const row = s * Y + d * i - p;
      const column = s * X + d * j - p;
      return { i, j, row, column, weight, pixel: x[row]?.[column] ?? 0 };
    }));
  }

  function convolve(x, w, s, p, d) {
    const k = w.length;
    const [Ho, Wo] = [outputSize(x.length, k, s, p, d), outputSize(x[0].length, k, s, p, d)];
    return Array.from({ length: Ho }, (_, Y) => Array.from({ length: Wo }, (_, X) =>
      terms(x, w, s, p, d, Y, X).reduce((sum, { weight, pixel }) => sum + weight * pixel, 0)));
  }

  if (typeof module !== "undefined") {
    module.exports = { meanKernel, resized, outputSize, largestDilation, terms, convolve };
  } else {
    const { slider, choice, figure, rect, outline, text } = explorers;

    class ConvExplorer extends explorers.Explorer {
      page() {
        this.w = KERNELS["left to right"];
        const names = [...Object.keys(KERNELS), "mean", "your own"].map((name) => [name, name]);
        return `
          <h3>Convolution explorer</h3>
          <p>The kernel <i>w</i> lies on the photograph. What lies on each other is multiplied, and the products
            are added up: one pixel of the result. Change a number of the kernel, or move the window. Dilation puts
            the kernel's numbers <i>d</i> pixels apart.</p>
          <div class="controls">
            ${choice("kernel", "kernel <i>w</i>", names)}
            ${slider("k", "kernel size <i>k</i>", 1, 5, 3)}
            ${slider("s", "stride <i>s</i>", 1, 4, 1)}
            ${slider("p", "padding <i>p</i>", 0, 4, 0)}
            ${slider("d", "dilation <i>d</i>", 1, 4, 1)}
            ${slider("H", "image side <i>H</i>", 8, 32, 32)}
            ${slider("Y", "row <i>Y</i>", 0, 29, 12)}
            ${slider("X", "column <i>X</i>", 0, 29, 2)}
          </div>
          <p><button type="button" data-part="walk"></button></p>
          <div class="pictures">
            ${figure("image")}
            ${figure("output")}
            <figure>
              <div class="kernel" data-part="kernel" role="group" aria-label="The numbers of the kernel w"></div>
              <figcaption>the kernel, each number times the pixel below it</figcaption></figure>
          </div>
          <p class="result" data-part="result" role="status"></p>
          <p class="sum" data-part="sum"></p>
          <p class="sum" data-part="size"></p>`;
      }

      connectedCallback() {
        super.connectedCallback();
        this.control("kernel").addEventListener("input", (event) => this.choose(event.target.value));
        this.control("k").addEventListener("input", (event) => this.resize(Number(event.target.value)));
        this.part("kernel").addEventListener("input", (event) => this.edit(event.target));
        this.part("output").addEventListener("click", (event) => this.point(event));
        this.part("walk").addEventListener("click", () => this.walk());
        // Who asked for less motion gets one step for each press.
        this.still = matchMedia("(prefers-reduced-motion: reduce)");
        this.stop();
      }

      disconnectedCallback() {
        this.stop();
      }

      choose(name) {
        if (name === "your own") return;
        this.w = name === "mean" ? meanKernel(this.value("k")) : KERNELS[name];
        this.control("k").value = this.w.length;
      }

      resize(k) {
        const isMean = this.control("kernel").value === "mean";
        this.w = isMean ? meanKernel(k) : resized(this.w, k);
        if (!isMean) this.control("kernel").value = "your own";
      }

      // An empty field or a half-written number is not taken over: the kernel keeps what it had.
      edit(field) {
        const usable = field.value !== "" && field.validity.valid;
        field.setAttribute("aria-invalid", String(!usable));
        if (!usable) return;
        const [i, j] = [Number(field.dataset.i), Number(field.dataset.j)];
        this.w = this.w.map((row) => [...row]); // a copy: the named kernels stay as they are
        this.w[i][j] = Number(field.value);
        this.control("kernel").value = "your own";
      }

      // A click on a pixel of the result; the sliders Y and X do the same for the keyboard.
      point(event) {
        const box = this.part("output").getBoundingClientRect();
        const side = this.y.length;
        this.control("Y").value = Math.floor(((event.clientY - box.top) / box.height) * side);
        this.control("X").value = Math.floor(((event.clientX - box.left) / box.width) * side);
        this.refresh();
      }

      walk() {
        if (this.timer) return this.stop();
        if (this.still.matches) return this.next();
        this.timer = setInterval(() => this.next(), 250);
        this.part("walk").textContent = "Stop the window";
        this.part("result").setAttribute("aria-live", "off"); // four sentences a second help nobody
      }

      stop() {
        clearInterval(this.timer);
        this.timer = undefined;
        this.part("walk").textContent = this.still.matches ? "Next place" : "Move the window";
        this.part("result").setAttribute("aria-live", "polite");
      }

      next() {
        const side = this.y.length;
        const place = (this.value("Y") * side + this.value("X") + 1) % side ** 2;
        this.control("Y").value = Math.floor(place / side);
        this.control("X").value = place % side;
        this.refresh();
      }

      draw() {
        const [H, k, s, p] = ["H", "k", "s", "p"].map((name) => this.value(name));
        this.limit("d", 1, Math.min(4, largestDilation(H, k, p)));
        const d = this.value("d");
        const Ho = outputSize(H, k, s, p, d);
        for (const name of ["Y", "X"]) this.limit(name, 0, Ho - 1);
        const [Y, X] = [this.value("Y"), this.value("X")];
        const x = explorers.crop(H);
        this.y = convolve(x, this.w, s, p, d);
        const products = terms(x, this.w, s, p, d, Y, X);
        this.drawImage(x, p, products, d * (k - 1) + 1);
        this.drawOutput(Y, X);
        this.drawKernel(products);
        this.write({ H, k, s, p, d, Ho, Y, X }, products);
      }

      drawImage(x, p, products, reach) {
        const side = x.length + 2 * p;
        const pixels = x.flatMap((row, r) => row.map((grey, c) => pixel(r + p, c + p, grey)));
        const touched = products.map(({ row, column }) =>
          rect("touched", column + p, row + p, 1, 1));
        const { row, column } = products[0];
        const svg = this.part("image");
        svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
        svg.setAttribute("aria-label", `The photograph, with a window of ${reach} by ${reach} pixels.`);
        svg.innerHTML = [
          rect("padding", 0, 0, side, side), ...pixels, ...touched, outline(column + p, row + p, reach),
        ].join("");
        this.part("image-caption").textContent =
          `image x, ${x.length} × ${x.length}` + (p ? `, in a frame of ${p} × zeros` : "");
      }

      drawOutput(Y, X) {
        const all = this.y.flat();
        const [low, high] = [Math.min(...all), Math.max(...all)];
        const grey = (value) => (high > low ? Math.round((255 * (value - low)) / (high - low)) : 128);
        const pixels = this.y.flatMap((row, r) => row.map((value, c) => pixel(r, c, grey(value))));
        const svg = this.part("output");
        const side = this.y.length;
        svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
        svg.setAttribute("aria-label", `The result, ${side} by ${side} pixels.`);
        svg.innerHTML = pixels.join("") + outline(X, Y, 1);
        this.part("output-caption").textContent =
          `result y, ${side} × ${side}; black is ${text(low, 0)}, white ${text(high, 0)}`;
      }

      // The fields are made anew only for another size: a field that is being written in must stay.
      drawKernel(products) {
        const k = this.w.length;
        const kernel = this.part("kernel");
        if (kernel.children.length !== k ** 2) {
          kernel.style.setProperty("--k", k);
          kernel.innerHTML = products.map(({ i, j }) => `<span>
            <input type="number" min="-99" max="99" step="any" data-i="${i}" data-j="${j}"
              aria-label="w[${i}, ${j}]">
            <small></small></span>`).join("");
        }
        products.forEach(({ weight, pixel: grey }, n) => {
          const [field, below] = kernel.children[n].children;
          if (field !== document.activeElement) {
            field.value = Number(weight.toFixed(3));
            field.setAttribute("aria-invalid", "false");
          }
          below.textContent = `· ${grey}`;
        });
      }

      write({ H, k, s, p, d, Ho, Y, X }, products) {
        const value = text(this.y[Y][X]);
        this.say(`y[${Y}, ${X}] = ${value}. The result has ${Ho} × ${Ho} pixels.`);
        const sum = products.map(({ weight, pixel: grey }) => `${bracketed(weight)}·${grey}`);
        this.part("sum").innerHTML = `<i>y</i>[<i>Y</i>, <i>X</i>] = Σ <i>w</i>[<i>i</i>, <i>j</i>] ·
          <i>x</i>[<i>sY</i> + <i>di</i> − <i>p</i>, <i>sX</i> + <i>dj</i> − <i>p</i>]<br>
          y[${Y}, ${X}] = ${sum.join(" + ")} = <b>${value}</b>`;
        this.part("size").innerHTML = `<i>H<sub>o</sub></i> =
          ⌊(<i>H</i> + 2<i>p</i> − <i>d</i>(<i>k</i> − 1) − 1) / <i>s</i>⌋ + 1
          = ⌊(${H} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}⌋ + 1 = <b>${Ho}</b>`;
      }
    }

    function pixel(row, column, grey) {
      return `<rect x="${column}" y="${row}" width="1" height="1" fill="rgb(${grey},${grey},${grey})"/>`;
    }

    function bracketed(weight) {
      return weight < 0 ? `(${text(weight)})` : text(weight);
    }

    customElements.define("conv-explorer", ConvExplorer);
  }
}
