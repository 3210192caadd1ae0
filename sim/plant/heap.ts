/** A binary min-heap. `before` must be a strict total order for the simulation to be reproducible. */
export class Heap<T> {
  private readonly items: T[] = [];
  private readonly before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  /** Unordered view, for the rare walks over everything. */
  all(): readonly T[] {
    return this.items;
  }

  push(item: T): void {
    const { items, before } = this;
    let hole = items.length;
    items.push(item);
    while (hole > 0) {
      const up = (hole - 1) >> 1;
      const parent = items[up] as T;
      if (!before(item, parent)) break;
      items[hole] = parent;
      hole = up;
    }
    items[hole] = item;
  }

  pop(): T | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.sink(last, 0);
    return top;
  }

  /** Removes one item by identity; linear, used only when a sequence is preempted. */
  remove(item: T): void {
    const rest = this.items.filter((other) => other !== item);
    this.items.length = 0;
    for (const other of rest) this.push(other);
  }

  private sink(item: T, from: number): void {
    const { items, before } = this;
    const size = items.length;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && before(items[child + 1] as T, items[child] as T)) child += 1;
      if (!before(items[child] as T, item)) break;
      items[hole] = items[child] as T;
      hole = child;
    }
    items[hole] = item;
  }
}
