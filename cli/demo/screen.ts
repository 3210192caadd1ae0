/**
 * A block of lines redrawn in place on a terminal; elsewhere (a pipe, CI, --json) a plain block every few seconds,
 * so that logs stay readable.
 */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #plain: boolean;
  #drawn = 0;
  #shown = 0;

  constructor(out: NodeJS.WriteStream, plain: boolean) {
    this.#out = out;
    this.#plain = plain || !out.isTTY;
  }

  show(lines: readonly string[]): void {
    if (this.#plain) {
      if (this.#shown++ % 10 === 0) this.#out.write(`${lines.join("\n")}\n\n`);
      return;
    }
    const width = this.#out.columns;
    const cut = lines.map((l) => (l.length >= width ? `${l.slice(0, width - 2)}…` : l));
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : "";
    this.#out.write(`${up}${cut.map((l) => `\u001b[2K${l}\n`).join("")}\u001b[0J`);
    this.#drawn = cut.length;
  }
}
