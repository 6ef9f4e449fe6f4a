// Waits for something to become true. It looks again whenever something was told, and never for longer than it may.

export class News {
  #told = 0;
  #waiting = Promise.withResolvers();

  /** Something has happened. */
  tell = () => {
    this.#told += 1;
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  };

  /** What `find` finds, as soon as it finds something. */
  async until(what, find, withinMs) {
    const late = Promise.withResolvers();
    const timer = setTimeout(() => late.reject(new Error(`waited ${withinMs / 1000} s for ${what}`)), withinMs);
    late.promise.catch(() => {}); // it may come while nobody waits for it
    try {
      for (;;) {
        const before = this.#told;
        const found = await Promise.race([find(), late.promise]);
        if (found) return found;
        // What was told while it looked may be what it looks for.
        if (before === this.#told) await Promise.race([this.#waiting.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
