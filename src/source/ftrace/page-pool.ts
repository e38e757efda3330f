/** Reuses the buffers of ring-buffer pages, so that reading allocates nothing in the long run. */
export interface PagePool {
  /** Bytes. */
  readonly pageSize: number;
  /** A buffer of `pageSize` bytes with any content. */
  take(): Buffer;
  /** Takes a buffer back. A shorter view of a page is left to the garbage collector. */
  release(page: Buffer): void;
}

export function createPagePool(pageSize: number): PagePool {
  const free: Buffer[] = [];
  return {
    pageSize,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(pageSize),
    release(page) {
      if (page.length === pageSize) free.push(page);
    },
  };
}
