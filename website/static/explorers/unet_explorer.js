// <unet-explorer>: what flows through a U-Net, box by box, with shapes and parameters (lesson 08).
//
// The boxes are those of minitorch_seg/models/unet.py and have its names: down.0 is the first pair of
// convolutions, up.0 the deepest transposed convolution, merge.0 the pair behind it, head the last 1×1.
"use strict";

{
  // The image is padded to a multiple of 2^depth, and the scores are cropped again.
  function paddedSide(side, depth) {
    return Math.ceil(side / 2 ** depth) * 2 ** depth;
  }

  // Twice: a 3×3 convolution without bias, and the two parameters of batch norm for each channel.
  function doubleConv(from, to) {
    return {
      parameters: 9 * from * to + 2 * to + 9 * to * to + 2 * to,
      sum: `9·${from}·${to} + 2·${to} + 9·${to}·${to} + 2·${to}`,
    };
  }

  // All boxes in the order in which an image goes through them.  shape: [channels, side, side] of what comes out.
  function boxes({ depth, B, side, C, K }) {
    const first = paddedSide(side, depth);
    const width = (level) => B * 2 ** level;
    const shape = (channels, level) => [channels, first / 2 ** level, first / 2 ** level];
    const list = [{ kind: "image", name: "image", level: 0, shape: [C, side, side], parameters: 0 }];
    for (let level = 0; level <= depth; level++) {
      const from = level ? width(level - 1) : C;
      const to = width(level);
      if (level) {
        list.push({ kind: "pool", name: `pool.${level - 1}`, level, shape: shape(from, level), parameters: 0 });
      }
      list.push({
        kind: "down", name: `down.${level}`, level, from, shape: shape(to, level), ...doubleConv(from, to),
      });
    }
    for (let level = depth - 1; level >= 0; level--) {
      const [n, w] = [depth - 1 - level, width(level)];
      list.push({
        kind: "up", name: `up.${n}`, level, from: 2 * w, shape: shape(w, level),
        parameters: 4 * 2 * w * w + w, sum: `4·${2 * w}·${w} + ${w}`,
      });
      list.push({ kind: "skip", name: `skip.${level}`, level, shape: shape(w, level), parameters: 0 });
      list.push({
        kind: "merge", name: `merge.${n}`, level, from: 2 * w, shape: shape(w, level), ...doubleConv(2 * w, w),
      });
    }
    list.push({ kind: "head", name: "head", level: 0, from: B, shape: [K, side, side], parameters: B * K + K,
      sum: `${B}·${K} + ${K}` });
    return list;
  }

  function parameters(settings) {
    return boxes(settings).reduce((sum, box) => sum + box.parameters, 0);
  }

  if (typeof module !== "undefined") {
    module.exports = { paddedSide, boxes, parameters };
  } else {
    const { slider, choice } = explorers;

    const TITLES = {
      image: "image",
      down: "two convolutions",
      pool: "↓ max pooling",
      up: "↑ transposed convolution",
      skip: "skip →",
      merge: "join, two convolutions",
      head: "1×1 → scores",
    };

    // What happens in a box: a sentence or two.
    const STORIES = {
      image: ({ shape: [C, side] }, { depth }) => {
        const padded = paddedSide(side, depth);
        return `${C === 1 ? "One channel, grey" : "Three channels, colour"}. Every level below halves the sides, so
          they must be multiples of 2^${depth} = ${2 ** depth}. ${padded === side ? `${side} is one.`
            : `${side} is none: the border is repeated up to ${padded}, and the scores are cropped again.`}`;
      },
      down: ({ level, from, shape: [to] }, { depth }) => `Twice: a 3×3 convolution with padding 1 (the sides stay),
        batch norm, relu. The channels go from ${from} to ${to}. ${level < depth
          ? "The map goes two ways: down, and straight across as a skip."
          : "This is the bottom: each pixel has seen the most, and knows the least of where."}`,
      pool: () => `The largest of 2×2 pixels, stride 2. The sides are halved, the channels stay. From here on a 3×3
        kernel reaches twice as far.`,
      up: ({ from, shape: [w] }) => `Each pixel lays a 2×2 kernel onto the larger map, stride 2: windows do not
        overlap. The sides are doubled, the channels go from ${from} to ${w}.`,
      skip: ({ level, shape: [w] }) => `The ${w} channels of level ${level}, as they were before the pooling: they still
        know where the edges are. Nothing is computed; the map is kept until it is needed.`,
      merge: ({ from, shape: [w] }) => `The skip's ${w} channels first, then the ${w} from below: ${from} in all. Two
        3×3 convolutions with batch norm and relu make ${w} of them.`,
      head: ({ from, shape: [K] }) => `At each pixel by itself, ${from} numbers become ${K} scores, one for each class.
        The largest score is the answer.`,
    };

    class UNetExplorer extends explorers.Explorer {
      page() {
        return `
          <h3>U-Net explorer</h3>
          <p>Down the left side to see what is there, up the right side to say where it is. Each box shows
            channels × rows × columns of what comes out of it. Choose a box to read what happens there.</p>
          <div class="controls">
            ${slider("depth", "depth", 1, 4, 3)}
            ${slider("B", "base channels <i>B</i>", 4, 64, 16, 4)}
            ${slider("side", "image side", 32, 256, 64, 2)}
            ${choice("C", "image", [[1, "grey, C = 1"], [3, "colour, C = 3"]])}
            ${slider("K", "classes <i>K</i>", 1, 8, 2)}
          </div>
          <div class="unet" data-part="boxes" role="group" aria-label="The boxes of the U-Net"></div>
          <p class="result" data-part="result" role="status"></p>
          <p class="sum" data-part="sum"></p>`;
      }

      connectedCallback() {
        this.chosen ??= "down.0";
        super.connectedCallback();
        this.part("boxes").addEventListener("click", (event) => {
          this.chosen = event.target.closest("button")?.dataset.name ?? this.chosen;
          this.refresh();
        });
      }

      draw() {
        const names = ["depth", "B", "side", "C", "K"];
        const settings = Object.fromEntries(names.map((name) => [name, this.value(name)]));
        const all = boxes(settings);
        const chosen = all.find(({ name }) => name === this.chosen) ?? all.find(({ name }) => name === "down.0");
        this.drawBoxes(all, chosen, settings.depth);
        const count = chosen.parameters
          ? ` Parameters: ${chosen.sum} = ${grouped(chosen.parameters)}.` : " No parameters.";
        this.say(`${chosen.name}, ${chosen.shape.join(" × ")}. ${STORIES[chosen.kind](chosen, settings)}${count}`
          .replace(/\s+/g, " "));
        this.part("sum").innerHTML =
          `<b>${grouped(parameters(settings))}</b> parameters in all: <code>ms.models.UNet(${settings.C},
          ${settings.K}, base_channels=${settings.B}, depth=${settings.depth})</code>`;
      }

      // Buttons are made anew only when their number changes: the one that has the focus keeps it.
      drawBoxes(all, chosen, depth) {
        const field = this.part("boxes");
        if (field.children.length !== all.length) {
          field.innerHTML = all.map(({ kind, name, level }) => `<button type="button" class="box ${kind}"
            data-name="${name}" style="${place(kind, level, depth)}"><span>${TITLES[kind]}</span><b></b>
            </button>`).join("");
        }
        all.forEach(({ name, shape }, n) => {
          const button = field.children[n];
          button.setAttribute("aria-pressed", String(name === chosen.name));
          button.lastElementChild.textContent = shape.join("×");
        });
      }
    }

    // Where a box stands: a row for each level, and a row for the way between two levels.
    function place(kind, level, depth) {
      const row = { image: 1, head: 1, pool: 2 * level + 1, up: 2 * level + 3 }[kind] ?? 2 * level + 2;
      const column = { image: 1, pool: 1, down: 1, skip: 2 }[kind] ?? 3;
      const bottom = kind === "down" && level === depth;
      return `grid-row: ${row}; grid-column: ${bottom ? "1 / 4" : column}`;
    }

    function grouped(number) {
      return number.toLocaleString("en");
    }

    customElements.define("unet-explorer", UNetExplorer);
  }
}
