// <receptive-field-explorer>: how many input pixels one result has seen, layer by layer (lesson 08).
//
//     r ← r + (k − 1) · a · d        d ← s · d        at first r = d = 1
//
// k is the layer's kernel, s its stride, a its dilation (lesson 07 writes the dilation d, but here d is the
// distance, in input pixels, between two neighbouring results).
"use strict";

{
  // After each layer: [{k, s, a, r, d}, ...].
  function fields(layers) {
    let [r, d] = [1, 1];
    return layers.map(({ k, s, a }) => {
      r += (k - 1) * a * d;
      d *= s;
      return { k, s, a, r, d };
    });
  }

  // The same by walking back from one result: which places of each map does it use?  The input's come first,
  // the last entry is the result itself.  Places are numbered from the first that is used.
  function used(layers) {
    const maps = [[0]];
    for (const { k, s, a } of layers.toReversed()) {
      const before = new Set(maps[0].flatMap((place) => Array.from({ length: k }, (_, i) => s * place + a * i)));
      maps.unshift([...before].sort((one, other) => one - other));
    }
    return maps;
  }

  if (typeof module !== "undefined") {
    module.exports = { fields, used };
  } else {
    const { choice, rect, line } = explorers;
    const conv = (k, s = 1, a = 1) => ({ k, s, a });
    const NETWORKS = {
      "three convolutions 3×3": [conv(3), conv(3), conv(3)],
      "one convolution 7×7": [conv(7)],
      "with pooling by 2": [conv(3), conv(2, 2), conv(3), conv(2, 2), conv(3)],
      "the way down of a U-Net, depth 2":
        [conv(3), conv(3), conv(2, 2), conv(3), conv(3), conv(2, 2), conv(3), conv(3)],
      "dilated by 1, 2, 4": [conv(3), conv(3, 1, 2), conv(3, 1, 4)],
      "dilated by 2, 2, 2: holes": [conv(3, 1, 2), conv(3, 1, 2), conv(3, 1, 2)],
    };
    const LIMITS = { k: [1, 7, "kernel"], s: [1, 4, "stride"], a: [1, 8, "dilation"] };
    const MOST_LAYERS = 8;
    const ROW = 34; // the height of a layer in the picture

    class ReceptiveFieldExplorer extends explorers.Explorer {
      page() {
        const names = [...Object.keys(NETWORKS), "your own"].map((name) => [name, name]);
        return `
          <h3>Receptive field explorer</h3>
          <p>One result at the top, and everything that it was made from. Change the layers: what makes the field
            wide, and what leaves holes in it?</p>
          <div class="controls wide">${choice("network", "network", names)}</div>
          <div class="scroll"><table>
            <thead><tr><th scope="col">layer</th><th scope="col">kernel <i>k</i></th>
              <th scope="col">stride <i>s</i></th><th scope="col">dilation <i>a</i></th>
              <th scope="col">field <i>r</i></th><th scope="col">distance <i>d</i></th></tr></thead>
            <tbody data-part="layers"></tbody></table></div>
          <p><button type="button" data-part="add">Add a layer</button>
            <button type="button" data-part="remove">Remove the last</button></p>
          <svg data-part="picture" role="img"></svg>
          <p class="result" data-part="result" role="status"></p>
          <p class="sum" data-part="sum"></p>`;
      }

      connectedCallback() {
        this.layers ??= Object.values(NETWORKS)[0];
        super.connectedCallback();
        this.control("network").addEventListener("input", ({ target }) => {
          this.layers = NETWORKS[target.value] ?? this.layers;
        });
        this.part("layers").addEventListener("input", ({ target }) => this.edit(target));
        this.part("add").addEventListener("click", () => this.set([...this.layers, conv(3)]));
        this.part("remove").addEventListener("click", () => this.set(this.layers.slice(0, -1)));
      }

      set(layers) {
        this.layers = layers;
        this.control("network").value = "your own";
        this.refresh();
      }

      // A number that is no whole number within its limits is not taken over.
      edit(field) {
        const usable = field.value !== "" && field.validity.valid;
        field.setAttribute("aria-invalid", String(!usable));
        if (!usable) return;
        const changed = { ...this.layers[field.dataset.layer], [field.dataset.letter]: Number(field.value) };
        this.layers = this.layers.with(Number(field.dataset.layer), changed); // the named networks stay as they are
        this.control("network").value = "your own";
      }

      draw() {
        const found = fields(this.layers);
        const maps = used(this.layers);
        this.part("add").disabled = found.length === MOST_LAYERS;
        this.part("remove").disabled = found.length === 1;
        this.drawTable(found);
        this.drawPicture(found, maps);
        this.write(found, maps[0].length);
      }

      // Rows are made anew only for another number of layers: a field that is being written in must stay.
      drawTable(found) {
        const body = this.part("layers");
        if (body.children.length !== found.length) {
          body.innerHTML = found.map((_, n) => `<tr><th scope="row">${n + 1}</th>${Object.entries(LIMITS).map(
            ([letter, [min, max, name]]) => `<td><input type="number" min="${min}" max="${max}" step="1" required
              data-layer="${n}" data-letter="${letter}" aria-label="${name} of layer ${n + 1}"></td>`).join("")}
            <td></td><td></td></tr>`).join("");
        }
        found.forEach((layer, n) => {
          for (const field of body.children[n].querySelectorAll("input")) {
            if (field === document.activeElement) continue;
            field.value = layer[field.dataset.letter];
            field.setAttribute("aria-invalid", "false");
          }
          body.children[n].children[4].textContent = layer.r;
          body.children[n].children[5].textContent = layer.d;
        });
      }

      // A row for each map, the result above and the input below.  A place stands over the middle of the
      // pixels that it has seen, and lines lead to what it was made from.
      drawPicture(found, maps) {
        const svg = this.part("picture");
        const width = Math.max(svg.clientWidth, 200);
        const { r } = found.at(-1);
        const cell = Math.min(26, width / r);
        const left = (width - cell * r) / 2;
        const all = [{ r: 1, d: 1 }, ...found];
        const centre = (n, place) => left + cell * (place * all[n].d + all[n].r / 2);
        const top = (n) => (all.length - 1 - n) * ROW + 4;
        const parts = [];
        maps.forEach((places, n) => {
          const wide = Math.max(1, Math.min(cell - 2, 18));
          const columns = new Set(); // of a wide field many places fall on one point of the screen: draw one
          for (const place of places) {
            const x = centre(n, place);
            if (columns.has(Math.round(x))) continue;
            columns.add(Math.round(x));
            if (n > 0 && places.length < 60) {
              const { k, s, a } = this.layers[n - 1];
              for (let i = 0; i < k; i++) {
                const below = centre(n - 1, s * place + a * i);
                parts.push(line("made-from", x, top(n) + 14, below, top(n - 1)));
              }
            }
            parts.push(rect(n ? "place" : "input", x - wide / 2, top(n), wide, 14));
          }
        });
        svg.setAttribute("viewBox", `0 0 ${width} ${top(0) + 22}`);
        const counts = maps.map((places) => places.length).toReversed();
        svg.setAttribute("aria-label", `${counts.join(", then ")} places, from the result at the top down to the input
          pixels.`);
        svg.innerHTML = parts.join("");
      }

      write(found, seen) {
        const { r, d } = found.at(-1);
        this.say(`One result sees r = ${r} pixels in a row, ${r} × ${r} of the image. Two neighbouring results look
          d = ${d} ${d === 1 ? "pixel" : "pixels"} apart.${
            seen < r ? ` The field has holes: of the ${r} pixels in a row only ${seen} are read.` : ""}`);
        const terms = found.map(({ k, a }, n) => `(${k} − 1)·${a}·${n ? found[n - 1].d : 1}`);
        this.part("sum").innerHTML = `<i>r</i> ← <i>r</i> + (<i>k</i> − 1)·<i>a</i>·<i>d</i>,
          then <i>d</i> ← <i>s</i>·<i>d</i>:<br><i>r</i> = 1 + ${terms.join(" + ")} = <b>${r}</b>`;
      }
    }

    customElements.define("receptive-field-explorer", ReceptiveFieldExplorer);
  }
}
