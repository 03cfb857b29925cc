// <rnn-explorer>: a recurrent network unrolled, and what its gradient meets on the way back (lesson 09).
//
//     h_t = f(W_hh h_{t−1} + W_xh x_t)                                        h_0 = 0, no bias
//     ∂h_T/∂h_t = J_T J_{T−1} … J_{t+1},   J_t = diag(f'(a_t)) W_hh
//     δ_t = f'(a_t) ⊙ (g_t + W_hhᵀ δ_{t+1})          dW_hh = Σ_t δ_t h_{t−1}ᵀ
//
// Two numbers of state, so that every norm has a closed form.  W_hh = ρ · (a turn by 0.5 radians): its spectral
// radius is ρ.  The loss is the sum of the last state, g_T = (1, 1) and g_t = 0 before.
"use strict";

{
  const W_XH = [1, -0.5];
  const ANGLE = 0.5;
  const STATE = [0, 1]; // the indices of the state's numbers

  // f, and its slope f'(a) written with h = f(a).
  const ACTIVATIONS = {
    tanh: { f: Math.tanh, slope: (h) => 1 - h ** 2 },
    relu: { f: (a) => Math.max(a, 0), slope: (h) => (h > 0 ? 1 : 0) },
    "none, f(a) = a": { f: (a) => a, slope: () => 1 },
  };

  function recurrentMatrix(rho) {
    const [c, s] = [rho * Math.cos(ANGLE), rho * Math.sin(ANGLE)];
    return [[c, -s], [s, c]];
  }

  // h_0, h_1, …, h_T for the inputs x_1, …, x_T.
  function states(x, W, f) {
    const h = [[0, 0]];
    for (const input of x) {
      const before = h.at(-1);
      h.push(STATE.map((i) => ACTIVATIONS[f].f(W[i][0] * before[0] + W[i][1] * before[1] + W_XH[i] * input)));
    }
    return h;
  }

  function product(A, B) {
    return STATE.map((i) => STATE.map((j) => A[i][0] * B[0][j] + A[i][1] * B[1][j]));
  }

  // The largest stretch of a 2×2 matrix: its larger singular value.
  function norm([[a, b], [c, d]]) {
    return (Math.hypot(a + d, b - c) + Math.hypot(a - d, b + c)) / 2;
  }

  function length([a, b]) {
    return Math.hypot(a, b);
  }

  // ‖∂h_T/∂h_t‖ for t = 0, 1, …, T.
  function influence(h, W, f) {
    let J = [[1, 0], [0, 1]];
    const norms = [1];
    for (let t = h.length - 1; t > 0; t--) {
      const slopes = h[t].map(ACTIVATIONS[f].slope);
      J = product(J, STATE.map((i) => STATE.map((j) => slopes[i] * W[i][j])));
      norms.unshift(norm(J));
    }
    return norms;
  }

  // δ_1, …, δ_T.
  function deltas(h, W, f) {
    const found = [];
    let arrived = [1, 1];
    for (let t = h.length - 1; t > 0; t--) {
      const delta = STATE.map((i) => ACTIVATIONS[f].slope(h[t][i]) * arrived[i]);
      found.unshift(delta);
      arrived = STATE.map((j) => W[0][j] * delta[0] + W[1][j] * delta[1]);
    }
    return found;
  }

  // dW_hh from the last k steps only; k = T gives all of it.
  function weightGradient(h, W, f, k) {
    const all = deltas(h, W, f);
    const kept = all.map((delta, n) => [delta, h[n]]).slice(all.length - k);
    return STATE.map((i) => STATE.map((j) => kept.reduce((sum, [delta, before]) => sum + delta[i] * before[j], 0)));
  }

  // ‖δ_t h_{t−1}ᵀ‖ for t = 1, …, T.
  function parts(h, W, f) {
    return deltas(h, W, f).map((delta, n) => length(delta) * length(h[n]));
  }

  // What a truncation to k steps leaves out, in parts of the whole gradient's length; 0 if there is none.
  function missing(h, W, f, k) {
    const whole = weightGradient(h, W, f, h.length - 1).flat();
    const kept = weightGradient(h, W, f, k).flat();
    const size = Math.hypot(...whole);
    return size === 0 ? 0 : Math.hypot(...whole.map((entry, n) => entry - kept[n])) / size;
  }

  if (typeof module !== "undefined") {
    module.exports = { recurrentMatrix, states, influence, deltas, weightGradient, parts, missing };
  } else {
    const { slider, choice, rect, line, text, power, powerOfTen } = explorers;
    const LOWEST = -8; // the picture's axis ends at 10⁻⁸ and 10⁸
    const CHAIN = 58; // heights of the three parts of the picture
    const FLOW = 170;
    const SHARE = 90;
    const MARGIN = 38;

    class RnnExplorer extends explorers.Explorer {
      page() {
        return `
          <h3>Recurrence explorer</h3>
          <p>A network reads a row of the coin's photograph, one pixel a step, and the loss looks at the last state.
            How much of the gradient is left at each earlier step? Find a radius ρ that neither vanishes nor
            explodes, first without <i>f</i>, then with tanh.</p>
          <div class="controls">
            ${slider("T", "steps <i>T</i>", 2, 30, 16)}
            ${slider("rho", "spectral radius <i>ρ</i> of <i>W<sub>hh</sub></i>", 0, 2, 0.9, 0.05)}
            ${choice("f", "activation <i>f</i>", Object.keys(ACTIVATIONS).map((name) => [name, name]))}
            ${slider("k", "truncated to the last <i>k</i> steps", 1, 16, 16)}
          </div>
          <svg data-part="picture" role="img"></svg>
          <p class="result" data-part="result" role="status"></p>
          <p class="sum">∂<i>h<sub>T</sub></i>/∂<i>h<sub>t</sub></i> = <i>J<sub>T</sub></i> · … ·
            <i>J</i><sub><i>t</i>+1</sub>, with
            <span class="joined"><i>J<sub>t</sub></i> = diag(<i>f</i>′(<i>a<sub>t</sub></i>)) ·
            <i>W<sub>hh</sub></i></span></p>
          <details><summary>The numbers of each step</summary><div class="scroll"><table>
            <thead><tr><th scope="col"><i>t</i></th><th scope="col"><i>f</i>′(<i>a<sub>t</sub></i>)</th>
              <th scope="col">‖∂<i>h<sub>T</sub></i>/∂<i>h<sub>t</sub></i>‖</th>
              <th scope="col">‖<i>δ<sub>t</sub> h</i><sub><i>t</i>−1</sub>ᵀ‖</th></tr></thead>
            <tbody data-part="numbers"></tbody></table></div></details>`;
      }

      connectedCallback() {
        super.connectedCallback();
        // Without a truncation k stays at the end when T grows.
        this.control("T").addEventListener("input", () => {
          const whole = this.value("k") === this.T;
          this.T = this.value("T");
          this.limit("k", 1, this.T);
          if (whole) this.control("k").value = this.T;
        });
        this.T = this.value("T");
      }

      draw() {
        const T = this.value("T");
        this.limit("k", 1, T);
        const [rho, k, f] = [this.value("rho"), this.value("k"), this.control("f").value];
        const W = recurrentMatrix(rho);
        const x = explorers.coin[16].slice(0, T).map((grey) => (grey - 96) / 64);
        const h = states(x, W, f);
        const norms = influence(h, W, f);
        const shares = parts(h, W, f);
        this.drawPicture(T, k, norms, shares);
        this.drawNumbers(h, f, norms, shares);
        const cut = k < T
          ? ` Truncated to the last ${k} of ${T} steps, <i>dW<sub>hh</sub></i> lacks
            ${text(100 * missing(h, W, f, k), 1)} % of its length.`
          : "";
        this.say(`‖∂<i>h<sub>T</sub></i>/∂<i>h</i><sub>0</sub>‖ = ${power(norms[0])} after ${T} steps; without
          <i>f</i> it is <i>ρ<sup>T</sup></i> = ${power(rho ** T)}.${cut}`);
      }

      drawPicture(T, k, norms, shares) {
        const svg = this.part("picture");
        const width = Math.max(svg.clientWidth, 240);
        const step = (width - MARGIN - 8) / (T + 1);
        const x = (t) => MARGIN + step * (t + 0.5);
        const box = Math.min(30, 0.62 * step);
        const kept = (t) => (k === T || t > T - k ? "kept" : "cut"); // does the gradient reach step t?
        const labelled = (t) => (T - t) % Math.ceil(22 / step) === 0;
        const drawn = [];

        for (let t = 0; t <= T; t++) { // the chain of states runs on, whatever is cut from the gradient
          if (t > 0) drawn.push(line("flow", x(t - 1) + box / 2, 38, x(t) - box / 2, 38));
          drawn.push(rect("place", x(t) - box / 2, 38 - box / 2, box, box));
          if (labelled(t)) drawn.push(`<text x="${x(t)}" y="10">h${subscript(t)}</text>`);
        }

        // ‖∂h_T/∂h_t‖ as bars up and down from 1, on a logarithmic axis
        const powers = norms.map((norm) => Math.max(LOWEST, Math.min(-LOWEST, Math.log10(norm))));
        const low = Math.min(-2, Math.floor(Math.min(...powers)));
        const high = Math.max(1, Math.ceil(Math.max(...powers)));
        const y = (power) => CHAIN + 22 + ((high - power) / (high - low)) * (FLOW - 30);
        drawn.push(caption(CHAIN + 8, ["what is left of the gradient, ‖∂h", "T", "/∂h", "t", "‖"]));
        for (let power = low; power <= high; power += Math.ceil((high - low) / 5)) {
          drawn.push(line("axis", MARGIN, y(power), width, y(power)));
          drawn.push(`<text class="tick" x="${MARGIN - 4}" y="${y(power)}">${power === 0 ? "1" : powerOfTen(power)}</text>`);
        }
        drawn.push(line("axis one", MARGIN, y(0), width, y(0)));
        powers.forEach((power, t) => drawn.push(rect(
          `bar ${kept(t)}`, x(t) - box / 2, Math.min(y(0), y(power)), box, Math.max(1, Math.abs(y(power) - y(0))),
        )));

        const floor = CHAIN + FLOW + SHARE;
        const most = Math.max(...shares) || 1;
        drawn.push(caption(CHAIN + FLOW + 10, ["each step's part of dW", "hh", ", ‖δ", "t", " h", "t−1", "ᵀ‖"]));
        drawn.push(line("axis one", MARGIN, floor, width, floor));
        shares.forEach((share, n) => {
          const height = (share / most) * (SHARE - 26);
          drawn.push(rect(`bar ${kept(n + 1)}`, x(n + 1) - box / 2, floor - height, box, height));
        });
        if (k < T) { // the cut stands between two states
          const place = x(T - k) + step / 2;
          const pieces = [[16, CHAIN - 6], [CHAIN + 18, CHAIN + FLOW - 4], [CHAIN + FLOW + 18, floor]];
          for (const [from, to] of pieces) drawn.push(line("cut-line", place, from, place, to)); // not through words
        }
        svg.setAttribute("viewBox", `0 0 ${width} ${floor + 6}`);
        svg.setAttribute("aria-label", `States h_0 to h_${T}; bars of what is left of the gradient, from
          ${power(norms[0])} at h_0 to 1 at h_${T}; and each step's part of the gradient of W_hh.`);
        svg.innerHTML = drawn.join("");
      }

      drawNumbers(h, f, norms, shares) {
        const rows = norms.map((norm, t) => {
          const slopes = t ? h[t].map((number) => text(ACTIVATIONS[f].slope(number), 2)).join(", ") : "–";
          return `<tr><th scope="row">${t}</th><td>${slopes}</td><td>${power(norm)}</td>
            <td>${t ? power(shares[t - 1]) : "–"}</td></tr>`;
        });
        this.part("numbers").innerHTML = rows.join("");
      }
    }

    // Words and indices in turn: every other piece is set lower.
    function caption(y, pieces) {
      const spans = pieces.map((piece, n) => n % 2
        ? `<tspan class="index" dy="3">${piece}</tspan>`
        : `<tspan dy="${n ? -3 : 0}">${piece}</tspan>`);
      return `<text class="caption" x="0" y="${y}">${spans.join("")}</text>`;
    }

    function subscript(number) {
      return [...String(number)].map((c) => "₀₁₂₃₄₅₆₇₈₉"[c]).join("");
    }

    customElements.define("rnn-explorer", RnnExplorer);
  }
}
