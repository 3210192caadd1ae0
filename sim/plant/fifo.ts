/** A first-in first-out queue on an array with a moving head: shift is O(1) amortised. */
export class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  peek(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Back to the head of the queue. */
  unshift(item: T): void {
    if (this.head === 0) this.items.unshift(item);
    else {
      this.head -= 1;
      this.items[this.head] = item;
    }
  }

  shift(): T | undefined {
    if (this.head >= this.items.length) return undefined;
    const item = this.items[this.head];
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  last(): T | undefined {
    return this.size > 0 ? this.items[this.items.length - 1] : undefined;
  }

  pop(): T | undefined {
    return this.size > 0 ? this.items.pop() : undefined;
  }

  /** Takes out what matches, keeping the order of the rest. */
  extract(matches: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const kept: T[] = [];
    for (let index = this.head; index < this.items.length; index += 1) {
      const item = this.items[index] as T;
      (matches(item) ? taken : kept).push(item);
    }
    this.items = kept;
    this.head = 0;
    return taken;
  }
}
